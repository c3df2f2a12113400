import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { hostileBodies } from "../fixtures/hostile-bodies.ts";
import { makeImage } from "../fixtures/images.ts";
import { sendBody } from "../fixtures/send-body.ts";
import { type Answer, assertError, creation, errorOf, sessionsPath, verifySessionsPath } from "./support/app-client.ts";
import { checkAnswer } from "./support/described-answers.ts";
import { openStack } from "./support/open-stack.ts";

describe("malformed requests", async () => {
  const { stack, app } = await openStack();
  const json = { "content-type": "application/json" };
  const form = { "content-type": "multipart/form-data; boundary=b" };

  /** Sends a body in chunks, without a content-length. */
  async function sendChunked(path: string, headers: Record<string, string>, body: Buffer) {
    const method = path.startsWith("api/") ? "PUT" : "POST";
    const answer = await sendBody(stack.url, { method, path, headers, body, chunkBytes: 64 * 1024 });
    checkAnswer(method, `${stack.url}/${path}`, answer);
    return { ...answer, body: JSON.parse(answer.text) };
  }

  function assertRefused(answer: Answer, what: string) {
    const { code } = errorOf(answer);
    assert.ok([400, 401, 404, 405, 408, 409, 412, 413, 415].includes(answer.status), `${answer.status} for ${what}`);
    assert.equal(answer.headers.get("x-ms-error-code"), code, what);
  }

  // One field per code; the codec's own tests have all rules.
  for (const [field, value, code] of [
    ["livenessOperationMode", "Active", "InvalidLivenessOperationMode"],
    ["authTokenTimeToLiveInSeconds", 59, "InvalidTokenLifetime"],
    ["deviceCorrelationId", "", "InvalidDeviceCorrelationId"],
    ["misspelt", true, "InvalidRequestBody"],
  ] as const) {
    test(`invalid ${field} -> ${code}`, async () => {
      assertError(await app.send(sessionsPath, creation("phone", { [field]: value })), 400, code);
    });
  }

  test("other media types -> 415", async () => {
    for (const type of ["text/plain", "application/xml", "application/json; charset=utf-16", ""]) {
      const answer = await app.send(sessionsPath, { body: "{}", headers: { "content-type": type } });
      assertError(answer, 415, "BadArgument");
    }
    assertError(await app.send(sessionsPath, { body: new FormData() }), 415, "BadArgument");
  });

  test("compressed bodies -> 415 with the reason", async () => {
    const image = makeImage();
    const path = "api/reference-images/compressed";
    for (const [where, method, type, content] of [
      [sessionsPath, "POST", "application/json", JSON.stringify(creation("phone").json)],
      [path, "PUT", "image/jpeg", image],
    ] as const) {
      const headers = { "content-type": type, "content-encoding": "gzip" };
      const answer = await app.send(where, { method, headers, body: gzipSync(content) });
      assertError(answer, 415, "BadArgument");
      assert.match(JSON.stringify(answer.body), /"UnsupportedContentEncoding"/);
    }
    assert.equal((await app.send(path)).status, 404);
  });

  test("bodies other than a JSON object -> 400", async () => {
    for (const body of ["", "{", "null", "[]", '"text"', "1", '{"__proto__":{}}', Buffer.from([0xff, 0xfe])]) {
      assertError(await app.send(sessionsPath, { method: "POST", body, headers: json }), 400, "InvalidRequestBody");
    }
  });

  test("deeply nested JSON -> 400", async () => {
    for (const open of ['{"a":', "[", '{"Headers":']) {
      const levels = 60_000 / open.length;
      const body = `${open.repeat(levels)}1${(open === "[" ? "]" : "}").repeat(levels)}`.slice(0, 65_536);
      assertRefused(await app.send(sessionsPath, { body, headers: json }), open);
    }
  });

  test("no property of a body and no query parameter replaces headers or route values", async () => {
    const { sessionId } = await app.openSession();
    const names =
      "Headers headers Query Params params method url sys $request __proto__ constructor toString sessionId SESSIONID";
    const values = [1, null, true, "", "text", [], [["a b", "c"]], {}, { "a b": "c" }, { a: "\n" }, { a: { b: 1 } }];
    for (const name of names.split(" ")) {
      for (const value of [...values, "x".repeat(7_000)]) {
        const text = JSON.stringify(value);
        const body = `{"livenessOperationMode":"Passive","deviceCorrelationId":"phone","${name}":${text}}`;
        const posted = await app.send(sessionsPath, { body, headers: json });
        assertError(posted, 400, "InvalidRequestBody");
        const query = `${name}=${encodeURIComponent(typeof value === "string" ? value : text)}`;
        const read = await app.send(`api/sessions/${sessionId}?${query}`);
        assert.equal(read.status, 200, `${query}: ${JSON.stringify(read.body)}`);
      }
    }
  });

  test("30,000 bytes of headers -> 200", async () => {
    const answer = await app.send("api/health", { headers: { "x-large": "x".repeat(30_000) } });
    assert.equal(answer.status, 200);
  });

  test("bodies over the limit, with and without content-length -> 413", async () => {
    const large = Buffer.alloc(100_000, "x");
    const announced = await app.send(sessionsPath, { body: large, headers: json });
    assertError(announced, 413, "RequestBodyTooLarge");
    assertError(await sendChunked(sessionsPath, json, large), 413, "RequestBodyTooLarge");
    const huge = Buffer.alloc(12 * 1024 * 1024);
    const image = "api/reference-images/huge";
    assertError(await app.send(image, { method: "PUT", body: huge }), 413, "RequestBodyTooLarge");
    assertError(await sendChunked(image, { "content-type": "image/png" }, huge), 413, "RequestBodyTooLarge");
    assertError(await app.send(verifySessionsPath, { body: huge, headers: form }), 413, "RequestBodyTooLarge");
    await app.openSession();
  });

  test("an invalid form is refused before its end", async () => {
    const padded = (before: string, sizeInBytes: number) => Buffer.from(before + "x".repeat(sizeInBytes));
    const part = (more: string) => `--b\r\ncontent-disposition: form-data; ${more}\r\n\r\n`;
    for (const [body, status, code] of [
      [padded("", 12 * 1024 * 1024), 400, "InvalidRequestBody"],
      [padded(part('name="verifyImage"; filename="a"'), 12 * 1024 * 1024), 400, "InvalidImageSize"],
      [padded(part('name="a"'), 100_000), 413, "RequestBodyTooLarge"],
    ] as const) {
      assertError(await sendChunked(verifySessionsPath, form, body), status, code);
    }
    await app.openSession();
  });

  test("the connection of a refused body serves the next request", async () => {
    for (let round = 0; round < 5; round += 1) {
      const body = Buffer.alloc(9 * 1024 * 1024);
      assertError(await sendChunked(verifySessionsPath, form, body), 400, "InvalidRequestBody");
      await app.openSession(randomUUID());
    }
  });

  for (const hostile of hostileBodies()) {
    test(`refuses ${hostile.what}, ${hostile.method} ${hostile.path}`, async () => {
      const answer = await sendBody(stack.url, hostile);
      checkAnswer(hostile.method, `${stack.url}/${hostile.path}`, answer);
      assertRefused({ ...answer, body: JSON.parse(answer.text) }, hostile.what);
      assert.ok(answer.text.length < 5000, `${answer.text.length} characters`);
      assert.ok(![401, 404, 429].includes(answer.status) || hostile.path.includes("settle"), answer.text);
    });
  }

  test("a chunked body -> 200", async () => {
    const body = Buffer.from(JSON.stringify(creation().json));
    assert.equal((await sendChunked(sessionsPath, json, body)).status, 200);
  });

  test("broken multipart -> 400", async () => {
    for (const body of ["", "--b-\r\n", '--b\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n']) {
      for (const boundary of ["; boundary=b", '; boundary="b"', ""]) {
        const headers = { "content-type": `multipart/form-data${boundary}` };
        const answer = await app.send(verifySessionsPath, { method: "POST", body, headers });
        assertError(answer, 400, "InvalidRequestBody");
      }
    }
  });

  test("a form without parts -> 400 for the first missing field, as JSON without fields", async () => {
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    for (const request of [{ method: "POST", body: "--b--\r\n", headers }, { json: {} }]) {
      assertError(await app.send(verifySessionsPath, request), 400, "InvalidLivenessOperationMode");
    }
  });

  test("unknown paths -> 404", async () => {
    for (const path of ["face", "face/v1.2/detect", "api", "api/x", "api/reference-images/a%20b", "api/%00"]) {
      const answer = await app.send(path);
      assertRefused(answer, path);
      assert.equal(answer.status, 404, path);
    }
  });

  test("a session of the other kind, an unknown session and malformed ids -> 404", async () => {
    const session = await app.openSession();
    assertError(await app.send(`${verifySessionsPath}/${session.sessionId}`), 404, "SessionNotFound");
    for (const id of [randomUUID(), "x", "'", "%27%20or%20true", "a".repeat(300)]) {
      for (const path of [sessionsPath, "api/sessions"]) {
        assertError(await app.send(`${path}/${id}`), 404, "SessionNotFound");
      }
    }
  });

  test("any JSON -> 4xx", async () => {
    const fields =
      "livenessOperationMode deviceCorrelationId authTokenTimeToLiveInSeconds deviceCorrelationIdSetInClient a";
    const keys = fc.constantFrom(...fields.split(" "));
    const body = fc.oneof(fc.jsonValue(), fc.dictionary(keys, fc.jsonValue()));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(sessionsPath, verifySessionsPath), body, async (path, json) => {
        assertRefused(await app.send(path, { method: "POST", json }), JSON.stringify(json));
      }),
      { numRuns: 700 },
    );
  });

  test("any bytes, media type and path -> 4xx", async () => {
    const type = fc.constantFrom(json["content-type"], form["content-type"], "multipart/form-data", "a/b", "");
    // The host itself answers paths with an empty segment, with 404 and no body.
    const segment = fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).map(encodeSegment);
    const path = fc.oneof(
      fc.constantFrom(sessionsPath, verifySessionsPath),
      fc.array(segment, { maxLength: 4 }).map((segments) => ["api", ...segments].join("/")),
      fc.array(segment, { maxLength: 4 }).map((segments) => ["face", "v1.2", ...segments].join("/")),
    );
    const method = fc.constantFrom("POST", "PUT", "DELETE");
    await fc.assert(
      fc.asyncProperty(path, method, type, fc.uint8Array({ maxLength: 3000 }), async (path, method, type, body) => {
        const answer = await app.send(path, { method, body, headers: { "content-type": type } });
        assertRefused(answer, `${method} ${path} ${type}`);
      }),
      { numRuns: 700 },
    );
  });

  test("clients that disconnect within a body do no harm", async () => {
    for (let count = 0; count < 20; count += 1) {
      const socket = connect(stack.app.port, "127.0.0.1");
      const head = "host: x\r\ncontent-type: application/json\r\ncontent-length: 500";
      await new Promise((resolve) => socket.write(`POST /${sessionsPath} HTTP/1.1\r\n${head}\r\n\r\n{"live`, resolve));
      socket.destroy();
    }
    await app.openSession(randomUUID());
  });
});

function encodeSegment(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/^\.+$/, "dots");
}
