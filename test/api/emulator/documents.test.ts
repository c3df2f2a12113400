import assert from "node:assert/strict";
import { test } from "node:test";
import examples from "../../fixtures/face-docs/create-requests.json" with { type: "json" };
import errors from "../../fixtures/face-docs/errors.json" with { type: "json" };
import fields from "../../fixtures/face-docs/fields.json" with { type: "json" };
import { type Answer, asOpenSession, assertError, at, flatForm, makeImage, startStandIn } from "./stand-in.ts";

/** The emulator against the literal examples and error texts of the service's documents. */

const path = "/face/v1.1-preview.1/detectLiveness/singleModal/sessions";
const valid = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

for (const { document, path, request, response } of examples) {
  const { deviceCorrelationId, deviceCorrelationIdSetInClient, ...rest }: Record<string, unknown> = request;
  const breaksItsRule = deviceCorrelationIdSetInClient === true;

  test(`the sample request of ${document} -> ${breaksItsRule ? "400 by a documented rule" : 200}`, async (t) => {
    const emulator = await startStandIn(t);
    const literal = await emulator.face(path, { json: request });
    if (breaksItsRule) assertDocumentedError(literal, "InvalidDeviceCorrelationId");
    else assert.equal(literal.status, 200, literal.text);

    for (const json of [
      { ...rest, deviceCorrelationId },
      { ...rest, deviceCorrelationIdSetInClient: true },
    ]) {
      const answer = await emulator.face(path, { json });
      assert.equal(answer.status, 200, answer.text);
      asOpenSession(answer.json);
      assert.deepEqual(Object.keys(Object(answer.json)).sort(), Object.keys(response).sort());
    }
  });
}

/** The code with its documented message. */
function assertDocumentedError(answer: Answer, code: keyof typeof errors.messages): void {
  assertError(answer, 400, code);
  assert.equal(at(answer.json, "error", "message"), errors.messages[code]);
}

for (const [code, fields] of [
  ["InvalidRequestBody", { unknown: 1 }],
  ["InvalidTokenLifetime", { authTokenTimeToLiveInSeconds: 59 }],
  ["InvalidLivenessOperationMode", { livenessOperationMode: "Active" }],
  ["InvalidDeviceCorrelationId", { deviceCorrelationIdSetInClient: true }],
] as const) {
  test(`${code} has the documented message`, async (t) => {
    const emulator = await startStandIn(t);
    assertDocumentedError(await emulator.face(path, { json: { ...valid, ...fields } }), code);
  });
}

test("every documented error body, literally", async (t) => {
  const emulator = await startStandIn(t);
  const json = (value: unknown) => emulator.face(path, { json: value });
  const inject = async (status: number) => {
    await emulator.call("/emulator/faults", { json: { operation: "create", status } });
    return json(valid);
  };
  const answers = new Map<number, Answer>([
    [400, await json("no object")],
    [401, await emulator.call(path, { json: valid })],
    [403, await inject(403)],
    [404, await emulator.face(`${path}/b12e033e-bda7-4b83-a211-e721c661f30e`)],
    [415, await emulator.face(path, { body: "a=b", headers: { "content-type": "text/plain" } })],
    [429, await inject(429)],
  ]);
  assert.equal(errors.bodies.length, answers.size);
  for (const { status, body } of errors.bodies) {
    assert.equal(answers.get(status)?.status, status);
    assert.deepEqual(answers.get(status)?.json, body);
  }
});

/** The paths of all fields of a value. All elements of a list have the same path. */
function fieldPaths(value: unknown, prefix = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((element) => fieldPaths(element, prefix));
  if (typeof value !== "object" || value === null) return [prefix];
  return Object.entries(value).flatMap(([name, below]) => fieldPaths(below, `${prefix}/${name}`));
}

test(`a finished session has the fields of ${fields.response.document}, except the token`, async (t) => {
  const emulator = await startStandIn(t);
  const route = "/face/v1.2/detectLivenessWithVerify-sessions";
  const form = flatForm({ ...valid, enableSessionImage: "true", returnVerifyImageHash: "true" }, makeImage());
  const session = asOpenSession((await emulator.face(route, { body: form })).json);
  await emulator.attempt(session, { scenario: "FaceWithMaskDetected" });
  await emulator.attempt(session, { scenario: "realface" });
  const { json } = await emulator.face(`${route}/${session.sessionId}`);
  const expected = fieldPaths(fields.response.body).filter((name) => name !== "/authToken");
  assert.deepEqual(new Set(fieldPaths(json)), new Set(expected));
});
