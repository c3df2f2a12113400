import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { createFaceService } from "../../src/face/client/face-service.ts";
import { findFreePorts } from "../local/ports.ts";
import {
  failureOf,
  key,
  notFound,
  notStarted,
  type Reply,
  ref,
  request,
  startService,
  token,
} from "./support/face-service.ts";

async function assertFails(call: Promise<unknown>, status: number, code: string): Promise<void> {
  const failure = await failureOf(call);
  assert.deepEqual([failure.status, failure.code], [status, code]);
}

const refusal = (status: number, error: object): Reply => ({ status, json: { error } });

test("errors of the service are passed on in either shape", async (t) => {
  const error = { code: "InvalidImage", message: "Decoding error, image format unsupported." };
  const quota = { statusCode: 403, message: "Out of call volume quota. Quota will be replenished in 2 days." };
  const replies: Reply[] = [
    refusal(400, error),
    { status: 400, headers: { "content-type": "text/html", "x-ms-error-code": "InvalidImage" }, body: "<html>" },
    refusal(403, quota),
    { status: 500, body: "" },
    { status: 400, body: "{" },
  ];
  const { face } = await startService(t, (_received, _response, count) => replies[count - 1]);
  const failures = [];
  for (const _ of replies) failures.push(await failureOf(face.create("liveness", request)));
  assert.deepEqual(
    failures.map(({ status, code }) => [status, code]),
    [
      [400, "InvalidImage"],
      [400, "InvalidImage"],
      [403, "403"],
      [500, "500"],
      [400, "400"],
    ],
  );
  assert.equal(failures[0]?.message, error.message);
  assert.equal(failures[2]?.message, quota.message);
});

test("404 of the service -> undefined or false", async (t) => {
  const { face, received } = await startService(t, () => notFound);
  assert.equal(await face.get(ref("liveness", "s-1")), undefined);
  assert.equal(await face.revoke(ref("liveness", "s-1")), false);
  assert.equal(await face.sessionImage("i-1"), undefined);
  await face.probe();
  assert.deepEqual(
    received.map(({ method, url }) => `${method} ${url.replace("/face", "")}`),
    [
      "GET /v1.2/detectLiveness-sessions/s-1",
      "DELETE /v1.2/detectLiveness-sessions/s-1",
      "GET /v1.2/sessionImages/i-1",
      "GET /v1.3-preview.1/sessionImages/i-1",
      "GET /v1.2-preview.1/session/sessionImages/i-1",
      "GET /v1.2/detectLiveness-sessions/00000000-0000-0000-0000-000000000000",
    ],
  );
});

test("a 404 without the service's code -> FaceResponseInvalid (wrong endpoint)", async (t) => {
  const { face } = await startService(t, ({ method }) =>
    method === "GET" ? refusal(404, { code: "404", message: "Resource not found" }) : { status: 404, body: "" },
  );
  for (const call of [
    face.get(ref("liveness", "s")),
    face.revoke(ref("liveness", "s")),
    face.probe(),
    face.create("liveness", request),
  ]) {
    await assertFails(call, 502, "FaceResponseInvalid");
  }
});

test("the probe fails on any answer but the expected one", async (t) => {
  const replies: Reply[] = [{ json: notStarted }, refusal(401, { code: "Unspecified", message: "no" })];
  const { face } = await startService(t, (_received, _response, count) => replies[count - 1]);
  assert.equal((await failureOf(face.probe())).code, "FaceResponseInvalid");
  assert.equal((await failureOf(face.probe())).code, "FaceCredentialsRejected");
});

test("a refused key or role of the app -> 502 FaceCredentialsRejected, without a retry", async (t) => {
  const refusals: Reply[] = [
    { status: 401, body: "" },
    refusal(401, { code: "Unspecified", message: "Access denied due to invalid subscription key." }),
    refusal(401, { code: "PermissionDenied", message: "The principal `p-1` lacks a data action." }),
    refusal(403, { code: "PermissionDenied", message: "Principal p-1 has no role." }),
    refusal(403, { code: "AuthorizationFailed", message: "The client 'p-1' is not authorized." }),
    refusal(403, { message: "The principal `p-1` lacks the required data action to perform this.", statusCode: 403 }),
  ];
  for (const refusal of refusals) {
    const headers = { "apim-request-id": "r-1", "retry-after": "0", "www-authenticate": "Bearer" };
    const { face, received } = await startService(t, () => ({ ...refusal, headers }));
    const calls = [
      () => face.create("liveness", request),
      () => face.get(ref("liveness", "s-1")),
      () => face.revoke(ref("liveness", "s-1")),
      () => face.sessionImage("i-1"),
      () => face.probe(),
    ];
    for (const call of calls) {
      const { status, code, message, retryAfter, headers: passedOn } = await failureOf(call());
      assert.deepEqual([status, code, retryAfter], [502, "FaceCredentialsRejected", undefined]);
      assert.doesNotMatch(message, /p-1|subscription/);
      assert.deepEqual(passedOn, { "apim-request-id": "r-1" });
    }
    assert.equal(received.length, calls.length);
  }
});

test("a 403 for quota or approval is passed on", async (t) => {
  for (const [error, code] of [
    [{ statusCode: 403, message: "Out of call volume quota. Quota will be replenished in 2 days." }, "403"],
    [{ code: "UnsupportedFeature", message: "Feature is not supported, missing approval." }, "UnsupportedFeature"],
    [
      { code: "InvalidRequest", message: "No.", innererror: { code: "UnsupportedFeature", message: "No." } },
      "UnsupportedFeature",
    ],
  ] as const) {
    const { face } = await startService(t, () => refusal(403, error));
    await assertFails(face.create("liveness", request), 403, code);
  }
});

test("200 and 204 of a deletion -> true", async (t) => {
  const { face } = await startService(t, (_received, _response, count) => ({ status: count === 1 ? 204 : 200 }));
  assert.equal(await face.revoke(ref("liveness", "s-1")), true);
  assert.equal(await face.revoke(ref("liveness", "s-1")), true);
});

test("a session image has bytes and a content type", async (t) => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const { face, received } = await startService(t, () => ({ headers: { "content-type": "image/jpeg" }, body: bytes }));
  const image = await face.sessionImage("i-1");
  assert.equal(image?.value.contentType, "image/jpeg");
  assert.deepEqual([...(image?.value.bytes ?? [])], [...bytes]);
  assert.equal(received[0]?.url, "/face/v1.2/sessionImages/i-1");
});

test("no answer, or an answer without an end -> FaceTimeout", async (t) => {
  const { face, received } = await startService(
    t,
    ({ method }, response) => {
      if (method === "GET") response.writeHead(200, { "content-type": "application/json" }).write("{");
      return undefined;
    },
    { timeoutMs: 100 },
  );
  for (const call of [
    face.create("liveness", request),
    face.get(ref("liveness", "s-1")),
    face.revoke(ref("liveness", "s-1")),
  ]) {
    await assertFails(call, 504, "FaceTimeout");
  }
  assert.equal(received.length, 3);
});

test("a credential that hangs -> FaceTimeout, one that fails -> FaceCredentialFailed", async () => {
  const endpoint = "https://127.0.0.1:9";
  const hanging = { getToken: () => new Promise<never>(() => undefined) };
  const slow = createFaceService({ endpoint, apiVersion: "v1.2", credential: hanging, timeoutMs: 50 });
  assert.equal((await failureOf(slow.get(ref("liveness", "s-1")))).code, "FaceTimeout");
  const unavailable = Object.assign(new Error("none here"), { name: "CredentialUnavailableError" });
  const failing = { getToken: () => Promise.reject(unavailable) };
  const tokenless = createFaceService({ endpoint, apiVersion: "v1.2", credential: failing });
  await assertFails(tokenless.get(ref("liveness", "s-1")), 502, "FaceCredentialFailed");
});

test("no connection -> FaceUnreachable", async (t) => {
  const [port] = await findFreePorts(1);
  for (const endpoint of [`http://127.0.0.1:${port}`, "http://no-such-host.invalid"]) {
    const face = createFaceService({ endpoint, apiVersion: "v1.2", credential: { key } });
    const { status, code, message, cause } = await failureOf(face.create("liveness", request));
    assert.deepEqual([status, code, message], [502, "FaceUnreachable", "The Face service could not be reached."]);
    assert.ok(cause instanceof Error && "code" in cause);
    assert.match(String(cause.code), /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN)$/);
  }
  const { face } = await startService(t, (_received, response) => void response.destroy());
  assert.equal((await failureOf(face.create("liveness", request))).code, "FaceUnreachable");
});

test("an abort signal ends a call", async (t) => {
  const controller = new AbortController();
  const { face } = await startService(t, () => {
    controller.abort(new Error("gave up"));
    return undefined;
  });
  await assert.rejects(face.get(ref("liveness", "s-1"), { signal: controller.signal }), /gave up/);
  await assert.rejects(face.revoke(ref("liveness", "s-1"), { signal: controller.signal }), /gave up/);
});

test("an answer of another shape -> FaceResponseInvalid, without a quote of the answer", async (t) => {
  const bodies = [`{"authToken":"${token}"`, JSON.stringify({ authToken: token }), token, "", "[]"];
  const { face } = await startService(t, (_received, _response, count) => ({
    headers: { "apim-request-id": "r-3" },
    body: bodies[count - 1] ?? "",
  }));
  for (const _ of bodies) {
    const error = await failureOf(face.create("liveness", request));
    assert.deepEqual([error.status, error.code], [502, "FaceResponseInvalid"]);
    assert.deepEqual(error.headers, { "apim-request-id": "r-3" });
    assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /eyJ/);
  }
});

test("an endless answer -> FaceResponseInvalid", async (t) => {
  const megabyte = Buffer.alloc(1024 * 1024, " ");
  const { face } = await startService(t, (_received, response) => {
    const more = () => response.write(megabyte, (error) => error ?? more());
    more();
    return undefined;
  });
  assert.equal((await failureOf(face.get(ref("liveness", "s-1")))).code, "FaceResponseInvalid");
});
