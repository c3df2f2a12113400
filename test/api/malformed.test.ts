import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { endpoints } from "../../src/endpoints.ts";
import { hostileBodies } from "../fixtures/hostile-bodies.ts";
import { sendBody } from "../fixtures/send-body.ts";
import { type Answer, assertError } from "./support/app-client.ts";
import { checkAnswer } from "./support/described-answers.ts";
import { openStack } from "./support/open-stack.ts";

const session = "face/v1.2/detectLiveness-sessions";
const verify = "face/v1.2/detectLivenessWithVerify-sessions";
const good = { livenessOperationMode: "Passive", deviceCorrelationId: "phone" };

describe("malformed requests", async () => {
  const { stack, app } = await openStack();

  function assertRefused(answer: Answer, what: string) {
    const error = (answer.body as { error?: { code?: unknown; message?: unknown } }).error;
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} for ${what}`);
    assert.ok(typeof error?.code === "string" && typeof error.message === "string", `no error shape for ${what}`);
    assert.equal(answer.headers.get("x-ms-error-code"), error.code, what);
  }

  const fieldErrors: [Record<string, unknown>, string][] = [
    [{ livenessOperationMode: "Active" }, "InvalidLivenessOperationMode"],
    [{ livenessOperationMode: undefined }, "InvalidLivenessOperationMode"],
    [{ livenessOperationMode: 1 }, "InvalidLivenessOperationMode"],
    [{ authTokenTimeToLiveInSeconds: 59 }, "InvalidTokenLifetime"],
    [{ authTokenTimeToLiveInSeconds: 86_401 }, "InvalidTokenLifetime"],
    [{ authTokenTimeToLiveInSeconds: 600.5 }, "InvalidTokenLifetime"],
    [{ authTokenTimeToLiveInSeconds: "600" }, "InvalidTokenLifetime"],
    [{ deviceCorrelationId: undefined }, "InvalidDeviceCorrelationId"],
    [{ deviceCorrelationId: "" }, "InvalidDeviceCorrelationId"],
    [{ deviceCorrelationId: "x".repeat(65) }, "InvalidDeviceCorrelationId"],
    [{ deviceCorrelationId: "\ud800" }, "InvalidDeviceCorrelationId"],
    [{ deviceCorrelationId: null }, "InvalidDeviceCorrelationId"],
    [{ deviceCorrelationIdSetInClient: true }, "InvalidDeviceCorrelationId"],
    [{ enableSessionImage: "yes" }, "InvalidRequestBody"],
    [{ clientReferenceId: "" }, "InvalidRequestBody"],
    [{ clientReferenceId: "x".repeat(129) }, "InvalidRequestBody"],
    [{ referenceImageId: "alice" }, "InvalidRequestBody"],
    [{ misspelt: true }, "InvalidRequestBody"],
  ];
  for (const [fields, code] of fieldErrors) {
    test(`answers ${code} for ${JSON.stringify(fields)}`, async () => {
      assertError(await app.send(session, { json: { ...good, ...fields } }), 400, code);
    });
  }

  test("answers 415 for other media types", async () => {
    for (const type of ["text/plain", "application/xml", "application/json; charset=utf-16", ""]) {
      const answer = await app.send(session, { body: JSON.stringify(good), headers: { "content-type": type } });
      assertError(answer, 415, "BadArgument");
    }
    const form = new FormData();
    form.set("livenessOperationMode", "Passive");
    assertError(await app.send(session, { body: form }), 415, "BadArgument");
  });

  test("answers 400 for bodies that are no JSON", async () => {
    for (const body of ["", "{", "null", "[]", '"text"', "1", '{"__proto__":{}}', Buffer.from([0xff, 0xfe])]) {
      const answer = await app.send(session, { method: "POST", body, headers: { "content-type": "application/json" } });
      assert.equal(answer.status, 400, String(body));
      assertRefused(answer, String(body));
    }
  });

  test("answers 400 for JSON of any depth", async () => {
    const deep = ['{"a":', "[", '{"Headers":'].flatMap((open) =>
      [100, 5_000, 60_000 / open.length].map((levels) => {
        const close = open === "[" ? "]" : "}";
        return `${open.repeat(levels)}1${close.repeat(levels)}`.slice(0, 65_536);
      }),
    );
    for (const body of deep) {
      const answer = await app.send(session, { body, headers: { "content-type": "application/json" } });
      assertRefused(answer, body.slice(0, 20));
    }
  });

  test("keeps what the host makes of body and query away from headers and parameters", async () => {
    const { sessionId } = await app.openSession();
    const names =
      "Headers headers Query Params params method url sys $request __proto__ constructor toString sessionId";
    const values = [1, null, true, "", "text", [], [["a b", "c"]], {}, { "a b": "c" }, { a: "\n" }, { a: { b: 1 } }];
    for (const name of names.split(" ")) {
      for (const value of [...values, "x".repeat(7_000)]) {
        const text = JSON.stringify(value);
        const body = `{"livenessOperationMode":"Passive","deviceCorrelationId":"phone","${name}":${text}}`;
        const posted = await app.send(session, { body, headers: { "content-type": "application/json" } });
        assertError(posted, 400, "InvalidRequestBody");
        const query = `${name}=${encodeURIComponent(typeof value === "string" ? value : text)}`;
        const asked = await app.send(`api/sessions/${sessionId}?${query}`);
        assert.equal(asked.status, 200, `${query}: ${JSON.stringify(asked.body)}`);
      }
    }
  });

  test("answers requests with headers as large as the host takes", async () => {
    const answer = await app.send("api/health", { headers: { "x-large": "x".repeat(30_000) } });
    assert.equal(answer.status, 200);
  });

  test("answers 413 for bodies over the limit, announced or not", async () => {
    const large = Buffer.alloc(100_000, "x");
    const announced = await app.send(session, { body: large, headers: { "content-type": "application/json" } });
    assertError(announced, 413, "RequestBodyTooLarge");
    assertError(await sendChunked(stack.url, session, "application/json", large), 413, "RequestBodyTooLarge");
    const huge = Buffer.alloc(12 * 1024 * 1024);
    const image = "api/reference-images/huge";
    assertError(await app.send(image, { method: "PUT", body: huge }), 413, "RequestBodyTooLarge");
    assertError(await sendChunked(stack.url, image, "image/png", huge, "PUT"), 413, "RequestBodyTooLarge");
    const form = { "content-type": "multipart/form-data; boundary=b" };
    assertError(await app.send(verify, { body: huge, headers: form }), 413, "RequestBodyTooLarge");
    await app.openSession();
  });

  test("answers what is wrong with a form before all of it is there", async () => {
    const form = (before: string, sizeInBytes: number) => Buffer.from(before + "x".repeat(sizeInBytes));
    const part = (more: string) => `--b\r\ncontent-disposition: form-data; ${more}\r\n\r\n`;
    for (const [body, status, code] of [
      [form("", 12 * 1024 * 1024), 400, "InvalidRequestBody"],
      [form(part('name="verifyImage"; filename="a"'), 12 * 1024 * 1024), 400, "InvalidImageSize"],
      [form(part('name="a"'), 100_000), 413, "RequestBodyTooLarge"],
    ] as const) {
      assertError(await sendChunked(stack.url, verify, "multipart/form-data; boundary=b", body), status, code);
    }
    await app.openSession();
  });

  test("leaves the connection of a refused body free for the next request, whose ever it is", async () => {
    for (let round = 0; round < 5; round += 1) {
      const body = Buffer.alloc(9 * 1024 * 1024);
      assertError(
        await sendChunked(stack.url, verify, "multipart/form-data; boundary=b", body),
        400,
        "InvalidRequestBody",
      );
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

  test("takes a chunked body", async () => {
    const answer = await sendChunked(stack.url, session, "application/json", Buffer.from(JSON.stringify(good)));
    assert.equal(answer.status, 200);
  });

  test("answers 400 for broken multipart", async () => {
    const part = (disposition: string, content: string) =>
      `--b\r\ncontent-disposition: form-data${disposition}\r\n\r\n${content}\r\n`;
    const fields = part('; name="livenessOperationMode"', "Passive") + part('; name="deviceCorrelationId"', "phone");
    for (const body of [
      "",
      "--b--\r\n",
      fields,
      `${fields}--b--\r\n`,
      `${fields}${part('; filename="me.png"', "image")}--b--\r\n`,
      `${fields}${part('; name="verifyImage"', "not a file")}--b--\r\n`,
      `${fields}${part('; name="verifyImage"; filename="me.png"', "tiny")}--b--\r\n`,
      `${fields}${fields}--b--\r\n`,
    ]) {
      for (const boundary of ["b", '"b"']) {
        const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
        const answer = await app.send(verify, { method: "POST", body, headers });
        assert.equal(answer.status, 400, `${answer.status} for ${body}`);
        assertRefused(answer, body);
      }
    }
    const noBoundary = { "content-type": "multipart/form-data" };
    assertRefused(await app.send(verify, { method: "POST", body: fields, headers: noBoundary }), "no boundary");
  });

  test("answers every wrong method with 405 and what is allowed", async () => {
    for (const { route, methods, name } of endpoints.filter(({ name }) => !name.endsWith("Fallback"))) {
      const version = /singleModal|session\//.test(route) ? "v1.2-preview.1" : "v1.2";
      const path = route.replace("{apiVersion}", version).replace(/\{\w+\}/g, "x");
      const answer = await app.send(path, { method: "PATCH" });
      assertError(answer, 405, "MethodNotAllowed");
      for (const method of methods) assert.match(answer.headers.get("allow") ?? "", new RegExp(method), name);
    }
  });

  test("answers unknown paths and versions with 404", async () => {
    for (const path of ["face", "face/v1.2", "face/v1.2/detect"]) {
      assertError(await app.send(path), 404, "ResourceNotFound");
    }
    for (const path of [
      "face/v1.0/detectLiveness-sessions/x",
      "face/v1.2/detectLiveness/singleModal/sessions/x",
      "face/v1.1-preview.1/detectLiveness-sessions/x",
    ]) {
      const answer = await app.send(path);
      assertError(answer, 404, "UnsupportedApiVersion");
      assert.match(JSON.stringify(answer.body), /v1\.1-preview\.1.*v1\.2-preview\.1.*v1\.2/);
    }
    for (const path of ["api", "api/x", "api/sessions", "api/devices/x", "api/reference-images/a%20b", "api/%00"]) {
      assertRefused(await app.send(path), path);
    }
  });

  test("answers 400 for paging that is out of bounds", async () => {
    for (const query of ["top=0", "top=101", "top=x", "top=1.5", "continuationToken=abc", "top="]) {
      assertError(await app.send(`api/devices/phone/outcomes?${query}`), 400, "BadArgument");
    }
    assertError(await app.send(`api/devices/${"x".repeat(65)}/outcomes`), 400, "InvalidDeviceCorrelationId");
  });

  test("never answers 5xx, whatever the JSON", async () => {
    const keys = fc.constantFrom(
      ...Object.keys(good),
      "authTokenTimeToLiveInSeconds",
      "deviceCorrelationIdSetInClient",
      "a",
    );
    const body = fc.oneof(fc.jsonValue(), fc.dictionary(keys, fc.jsonValue()));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(session, verify), body, async (path, json) => {
        assertRefused(await app.send(path, { method: "POST", json }), JSON.stringify(json));
      }),
      { numRuns: 700 },
    );
  });

  test("never answers 5xx, whatever the bytes, the type and the path", async () => {
    const type = fc.constantFrom(
      "application/json",
      "multipart/form-data; boundary=b",
      "multipart/form-data",
      "a/b",
      "",
    );
    const segment = fc.string({ unit: "binary", maxLength: 20 }).map(encodeSegment);
    const path = fc.oneof(
      fc.constantFrom(session, verify),
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

  test("survives a caller who hangs up in mid-body", async () => {
    for (let count = 0; count < 20; count += 1) {
      const socket = connect(stack.app.port, "127.0.0.1");
      socket.write(
        `POST /${session} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"live`,
      );
      await new Promise((resolve) => setTimeout(resolve, 10));
      socket.destroy();
    }
    await app.openSession(randomUUID());
  });
});

function encodeSegment(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/^\.+$/, "dots");
}

/** Sends a body without announcing its length. */
async function sendChunked(
  baseUrl: string,
  path: string,
  contentType: string,
  body: Buffer,
  method: "POST" | "PUT" = "POST",
): Promise<Answer> {
  const headers = { "content-type": contentType };
  const answer = await sendBody(baseUrl, { method, path, headers, body, chunkBytes: 64 * 1024 });
  checkAnswer(method, `${baseUrl}/${path}`, answer);
  return { ...answer, body: JSON.parse(answer.text) };
}
