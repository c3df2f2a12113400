import assert from "node:assert/strict";
import { test } from "node:test";
import { examples } from "../../../infra/openapi/examples.ts";
import { checkAnswer } from "../../api/support/described-answers.ts";

/** Tests of the response validation that all api tests use. */

const url = "http://localhost/api/sessions/x";
const error = (code: string, more: object = {}) => JSON.stringify({ error: { code, message: "m", ...more } });

function answer(status: number, text: string, headers: Record<string, string> = {}) {
  const type: Record<string, string> = text === "" ? {} : { "content-type": "application/json; charset=utf-8" };
  return { status, text, headers: new Headers({ ...type, "cache-control": "no-store", ...headers }) };
}

const notFound = answer(404, error("SessionNotFound"), { "x-ms-error-code": "SessionNotFound" });
const session = Object(examples.getSession?.answers?.[200]);

test("accepts described responses", () => {
  checkAnswer("GET", url, notFound);
  checkAnswer("GET", url, answer(200, JSON.stringify(session)));
  checkAnswer("DELETE", "http://localhost/api/devices/a/lockout?x=1", answer(204, ""));
  const image = { ...answer(200, "bytes"), headers: new Headers({ "content-type": "image/png", etag: '"1"' }) };
  checkAnswer("GET", "http://localhost/api/reference-images/a", image);
});

test("accepts only errors on undescribed paths", () => {
  const unknown = answer(404, error("ResourceNotFound"), { "x-ms-error-code": "ResourceNotFound" });
  checkAnswer("GET", "http://localhost/api/unknown", unknown);
  assert.throws(() => checkAnswer("GET", "http://localhost/api/unknown", answer(200, "{}")), /not described/);
  const shapeless = answer(404, "{}");
  assert.throws(() => checkAnswer("GET", "http://localhost/api/unknown", shapeless), /required property 'error'/);
  checkAnswer("GET", "http://localhost/emulator/state", answer(418, "{}"));
});

test("accepts other errors only for operations that call the Face service", () => {
  const own = answer(418, error("Teapot"), { "x-ms-error-code": "Teapot", "apim-request-id": "1" });
  checkAnswer("POST", `${url}/settle`, own);
  assert.throws(() => checkAnswer("GET", url, own), /the status is not described/);
});

const wrong: [what: string, found: RegExp, answered: ReturnType<typeof answer>][] = [
  ["a status", /status is not described/, answer(409, error("SessionNotFinished"))],
  ["a code", /code is not described/, answer(404, error("Gone"), { "x-ms-error-code": "Gone" })],
  ["a missing header", /without x-ms-error-code/, answer(404, error("SessionNotFound"))],
  ["two codes", /SessionNotFound/, answer(404, error("SessionNotFound"), { "x-ms-error-code": "Other" })],
  ["a further header", /not described/, answer(200, JSON.stringify(session), { "x-secret": "1" })],
  ["a further field", /additional properties/, answer(200, JSON.stringify({ ...session, clientName: "x" }))],
  ["a missing field", /required property 'reasons'/, answer(200, JSON.stringify({ ...session, reasons: undefined }))],
  ["a time", /date-time/, answer(200, JSON.stringify({ ...session, createdOn: "now" }))],
  ["a media type", /text\/plain is not described/, answer(200, "x", { "content-type": "text/plain" })],
  ["no body", /is not described/, answer(200, "")],
];
for (const [what, found, answered] of wrong) {
  test(`rejects ${what} that is not described`, () => {
    assert.throws(() => checkAnswer("GET", url, answered), found);
  });
}
