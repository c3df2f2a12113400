import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { inspect, promisify } from "node:util";
import { ApiError } from "../../src/errors.ts";
import { createFaceClient, type FaceClientOptions } from "../../src/face/face-client.ts";
import type { SessionRequest } from "../../src/face/model.ts";

interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

interface Reply {
  status?: number;
  headers?: Record<string, string>;
  json?: unknown;
  body?: string | Uint8Array;
}

type Handler = (received: Received, response: ServerResponse, count: number) => Reply | undefined;

const run = promisify(execFile);

const key = "key-of-the-test";

/** A service that answers as `handle` says, or as the handler itself writes, and a client of it. */
async function startService(t: TestContext, handle: Handler, options: Partial<FaceClientOptions> = {}) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "", url = "", headers } = request;
    const one = { method, url, headers, body: Buffer.concat(chunks) };
    received.push(one);
    const reply = handle(one, response, received.length);
    if (reply === undefined) return;
    const body = reply.json === undefined ? reply.body : JSON.stringify(reply.json);
    response.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const endpoint = `http://127.0.0.1:${address.port}`;
  const face = createFaceClient({ endpoint, apiVersion: "v1.2", credential: { key }, ...options });
  return { face, received, endpoint };
}

const request: SessionRequest = {
  livenessOperationMode: "Passive",
  deviceCorrelationId: "a-device",
  deviceCorrelationIdSetInClient: false,
  authTokenTimeToLiveInSeconds: 600,
};
const token = "eyJhbGciOiJFUzI1NiIsIm";
const created = { sessionId: "s-1", authToken: token, status: "NotStarted", results: { attempts: [] } };
const notStarted = { sessionId: "s-1", status: "NotStarted", results: { attempts: [] } };
const notFound = {
  status: 404,
  json: {
    error: {
      code: "SessionNotFound",
      message: "Session Id is not found. The session id is expired or does not exist.",
    },
  },
};

async function failureOf(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => assert.fail("expected an ApiError, got an answer"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiError, inspect(error));
  return error;
}

test("a creation is one POST with the key, to the version's route", async (t) => {
  const { face, received } = await startService(t, () => ({ json: created, headers: { "apim-request-id": "r-1" } }));
  assert.deepEqual(await face.create("liveness", request), {
    value: { sessionId: "s-1", authToken: token, verifyReferences: [] },
    requestId: "r-1",
  });
  const [one] = received;
  assert.equal(`${one?.method} ${one?.url}`, "POST /face/v1.2/detectLiveness-sessions");
  assert.equal(one?.headers["ocp-apim-subscription-key"], key);
  assert.equal(one?.headers["content-type"], "application/json");
  assert.equal(one?.headers["accept-encoding"], undefined);
  assert.deepEqual(JSON.parse(String(one?.body)), request);
});

test("an image goes as a file of its own part, byte for byte", async (t) => {
  const { face, received } = await startService(t, () => ({ json: created }));
  const bytes = Uint8Array.from({ length: 2000 }, (_, index) => index % 256);
  await face.create(
    "livenessWithVerify",
    { ...request, verifyConfidenceThreshold: 1e-7 },
    { bytes, filename: 'a "b"\r\n.jpg' },
  );
  const [one] = received;
  assert.ok(one);
  const form = await new Response(new Uint8Array(one.body), {
    headers: { "content-type": String(one.headers["content-type"]) },
  }).formData();
  const image = form.get("verifyImage");
  assert.ok(image instanceof File);
  assert.deepEqual(await image.bytes(), bytes);
  assert.equal(form.get("deviceCorrelationId"), "a-device");
  assert.equal(form.get("verifyConfidenceThreshold"), "0.0000001");
});

test("a slash at the endpoint's end changes nothing", async (t) => {
  const { received, endpoint } = await startService(t, () => ({ json: notStarted }));
  for (const ending of ["", "/", "//"]) {
    const face = createFaceClient({ endpoint: `${endpoint}${ending}`, apiVersion: "v1.2", credential: { key } });
    assert.equal((await face.get("liveness", "s-1"))?.value.status, "NotStarted");
  }
  assert.deepEqual(new Set(received.map(({ url }) => url)), new Set(["/face/v1.2/detectLiveness-sessions/s-1"]));
});

test("an id is a segment of the path, or no id", async (t) => {
  const { face, received } = await startService(t, () => ({ json: notStarted }));
  await face.get("liveness", "a/b?c{0}%2e");
  for (const id of ["", ".", "..", "\ud800"]) {
    assert.equal(await face.get("liveness", id), undefined);
    assert.equal(await face.revoke("liveness", id), false);
    assert.equal(await face.sessionImage(id), undefined);
  }
  assert.deepEqual(
    received.map(({ url }) => url),
    ["/face/v1.2/detectLiveness-sessions/a%2Fb%3Fc%7B0%7D%252e"],
  );
});

test("a creation is never repeated, whatever it fails with", async (t) => {
  const handlers: Record<string, Handler> = {
    "500": () => ({ status: 500, body: "" }),
    "503 with Retry-After": () => ({ status: 503, headers: { "retry-after": "0" }, json: {} }),
    "429 with Retry-After": () => ({ status: 429, headers: { "retry-after": "1" }, json: {} }),
    "408": () => ({ status: 408, json: {} }),
    "307": (_received, _response) => ({ status: 307, headers: { location: "/elsewhere" } }),
    reset: (_received, response) => void response.destroy(),
    "reset in the body": (_received, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
      response.write('{"sessionId":', () => response.destroy());
      return undefined;
    },
  };
  for (const [name, handle] of Object.entries(handlers)) {
    const { face, received } = await startService(t, handle);
    await failureOf(face.create("liveness", request));
    assert.equal(received.length, 1, name);
  }
});

test("other calls are repeated twice at most", async (t) => {
  const { face, received } = await startService(t, () => ({ status: 503, json: {} }));
  assert.equal((await failureOf(face.get("liveness", "s-1"))).status, 503);
  assert.equal(received.length, 3);
});

test("a reading that succeeds when repeated has succeeded", async (t) => {
  const { face, received } = await startService(t, (_received, response, count) => {
    if (count === 1) return void response.destroy();
    return count === 2 ? { status: 500, body: "" } : { json: notStarted };
  });
  assert.equal((await face.get("liveness", "s-1"))?.value.sessionId, "s-1");
  assert.equal(received.length, 3);
});

test("a deletion whose answer got lost is a deletion", async (t) => {
  const { face, received } = await startService(t, (_received, response, count) =>
    count === 1 ? void response.destroy() : notFound,
  );
  assert.equal(await face.revoke("liveness", "s-1"), true);
  assert.deepEqual(
    received.map(({ method }) => method),
    ["DELETE", "DELETE"],
  );
});

test("a long Retry-After is answered on at once, not slept out", async (t) => {
  const { face, received } = await startService(t, () => ({
    status: 429,
    headers: { "retry-after": "3600", "apim-request-id": "r-2" },
    json: { error: { statusCode: 429, message: "Rate limit is exceeded. Try again in 3600 seconds." } },
  }));
  for (const call of [face.get("liveness", "s-1"), face.revoke("liveness", "s-1"), face.create("liveness", request)]) {
    const { status, code, message, retryAfter, headers } = await failureOf(call);
    assert.deepEqual([status, code, retryAfter, headers], [429, "429", "3600", { "apim-request-id": "r-2" }]);
    assert.equal(message, "Rate limit is exceeded. Try again in 3600 seconds.");
  }
  assert.equal(received.length, 3);
});

test("the service's errors are passed on in either shape", async (t) => {
  const error = { code: "InvalidImage", message: "Decoding error, image format unsupported." };
  const replies: Reply[] = [
    { status: 400, json: { error } },
    { status: 400, headers: { "content-type": "text/html", "x-ms-error-code": "InvalidImage" }, body: "<html>" },
    {
      status: 403,
      json: { error: { statusCode: 403, message: "Out of call volume quota. Quota will be replenished in 2 days." } },
    },
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
  assert.equal(failures[2]?.message, "Out of call volume quota. Quota will be replenished in 2 days.");
});

test("what the service does not know is absent", async (t) => {
  const { face, received } = await startService(t, () => notFound);
  assert.equal(await face.get("liveness", "s-1"), undefined);
  assert.equal(await face.revoke("liveness", "s-1"), false);
  assert.equal(await face.sessionImage("i-1"), undefined);
  await face.probe();
  assert.equal(received.length, 4);
});

test("a 404 that is not about a session tells of a wrong endpoint", async (t) => {
  const { face } = await startService(t, ({ method }) =>
    method === "GET"
      ? { status: 404, json: { error: { code: "404", message: "Resource not found" } } }
      : { status: 404, body: "" },
  );
  for (const call of [
    face.get("liveness", "s"),
    face.revoke("liveness", "s"),
    face.probe(),
    face.create("liveness", request),
  ]) {
    const { status, code } = await failureOf(call);
    assert.deepEqual([status, code], [502, "FaceResponseInvalid"]);
  }
});

test("the probe fails on every answer but the expected one", async (t) => {
  const replies: Reply[] = [
    { json: notStarted },
    { status: 401, json: { error: { code: "Unspecified", message: "no" } } },
  ];
  const { face } = await startService(t, (_received, _response, count) => replies[count - 1]);
  assert.equal((await failureOf(face.probe())).code, "FaceResponseInvalid");
  assert.equal((await failureOf(face.probe())).status, 401);
});

test("deletion takes either status of success", async (t) => {
  const { face } = await startService(t, (_received, _response, count) => ({ status: count === 1 ? 204 : 200 }));
  assert.equal(await face.revoke("liveness", "s-1"), true);
  assert.equal(await face.revoke("liveness", "s-1"), true);
});

test("a session image is its bytes and their type", async (t) => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const { face, received } = await startService(t, () => ({ headers: { "content-type": "image/jpeg" }, body: bytes }));
  const image = await face.sessionImage("i-1");
  assert.equal(image?.value.contentType, "image/jpeg");
  assert.deepEqual([...(image?.value.bytes ?? [])], [...bytes]);
  assert.equal(received[0]?.url, "/face/v1.2/sessionImages/i-1");
});

test("an answer that does not come, or does not end, is a timeout", async (t) => {
  const { face, received } = await startService(
    t,
    ({ method }, response) => {
      if (method === "GET") response.writeHead(200, { "content-type": "application/json" }).write("{");
      return undefined;
    },
    { timeoutMs: 100 },
  );
  for (const call of [face.create("liveness", request), face.get("liveness", "s-1"), face.revoke("liveness", "s-1")]) {
    const { status, code } = await failureOf(call);
    assert.deepEqual([status, code], [504, "FaceTimeout"]);
  }
  assert.equal(received.length, 3);
});

test("a credential that hangs is a timeout, one that fails says so", async () => {
  const endpoint = "https://127.0.0.1:9";
  const hanging = { getToken: () => new Promise<never>(() => undefined) };
  const slow = createFaceClient({ endpoint, apiVersion: "v1.2", credential: hanging, timeoutMs: 50 });
  assert.equal((await failureOf(slow.get("liveness", "s-1"))).code, "FaceTimeout");
  const failing = {
    getToken: () => Promise.reject(Object.assign(new Error("none here"), { name: "CredentialUnavailableError" })),
  };
  const tokenless = createFaceClient({ endpoint, apiVersion: "v1.2", credential: failing });
  const { status, code } = await failureOf(tokenless.get("liveness", "s-1"));
  assert.deepEqual([status, code], [502, "FaceCredentialFailed"]);
});

test("a service that is not there is unreachable", async (t) => {
  const closed = createServer();
  closed.listen(0, "127.0.0.1");
  await once(closed, "listening");
  const address = closed.address();
  assert.ok(typeof address === "object" && address !== null);
  closed.close();
  await once(closed, "close");
  for (const endpoint of [`http://127.0.0.1:${address.port}`, "http://no-such-host.invalid"]) {
    const face = createFaceClient({ endpoint, apiVersion: "v1.2", credential: { key } });
    const { status, code, message, cause } = await failureOf(face.create("liveness", request));
    assert.deepEqual([status, code, message], [502, "FaceUnreachable", "The Face service could not be reached."]);
    assert.ok(cause instanceof Error && "code" in cause);
    assert.match(String(cause.code), /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN)$/);
  }
  const { face } = await startService(t, (_received, response) => void response.destroy());
  assert.equal((await failureOf(face.create("liveness", request))).code, "FaceUnreachable");
});

test("a call can be ended by its caller", async (t) => {
  const controller = new AbortController();
  const { face } = await startService(t, () => {
    controller.abort(new Error("gave up"));
    return undefined;
  });
  await assert.rejects(face.get("liveness", "s-1", { signal: controller.signal }), /gave up/);
  await assert.rejects(face.create("liveness", request, undefined, { signal: controller.signal }), /gave up/);
});

test("an answer in no shape of the version is invalid, and its error does not quote it", async (t) => {
  const bodies = [`{"authToken":"${token}"`, JSON.stringify({ authToken: token }), token, "", "[]"];
  const { face } = await startService(t, (_received, _response, count) => ({
    headers: { "apim-request-id": "r-3" },
    body: bodies[count - 1] ?? "",
  }));
  for (const _ of bodies) {
    const error = await failureOf(face.create("liveness", request));
    assert.deepEqual(
      [error.status, error.code, error.headers],
      [502, "FaceResponseInvalid", { "apim-request-id": "r-3" }],
    );
    assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /eyJ/);
  }
});

test("an answer without an end is not read to the end", async (t) => {
  const megabyte = Buffer.alloc(1024 * 1024, " ");
  const { face } = await startService(t, (_received, response) => {
    const more = () => response.write(megabyte, (error) => error ?? more());
    more();
    return undefined;
  });
  assert.equal((await failureOf(face.get("liveness", "s-1"))).code, "FaceResponseInvalid");
});

test("a token in a GET is kept apart", async (t) => {
  const { face } = await startService(t, () => ({ json: { ...notStarted, authToken: token } }));
  const session = await face.get("liveness", "s-1");
  assert.equal(session?.value.authToken, token);
  assert.equal(session?.value.extra, undefined);
});

test("a preview's session comes with all its attempts, page by page", async (t) => {
  const entry = (id: number | string, livenessDecision: string) => ({
    id,
    response: { body: { livenessDecision }, statusCode: 200 },
    digest: `D${id}`,
  });
  const entries = [entry(3, "uncertain"), entry(11, "spoofface"), entry(12, "realface")];
  const session = {
    id: "s-1",
    createdDateTime: "c",
    sessionExpired: false,
    status: "ResultAvailable",
    result: entries[2],
  };
  const { face, received } = await startService(
    t,
    ({ url }) => {
      const { pathname, searchParams } = new URL(url, "http://host");
      if (!pathname.endsWith("/audit")) return { json: session, headers: { "apim-request-id": "r-4" } };
      const after = Number(searchParams.get("start") ?? 0);
      return { json: entries.filter(({ id }) => Number(id) > after).slice(0, Number(searchParams.get("top"))) };
    },
    { apiVersion: "v1.2-preview.1", auditPageSize: 2 },
  );
  const answer = await face.get("livenessWithVerify", "s-1");
  assert.equal(answer?.requestId, "r-4");
  assert.equal(answer?.value.status, "Succeeded");
  assert.deepEqual(
    answer?.value.attempts.map(({ attemptId, audit, result }) => [attemptId, audit?.id, result?.livenessDecision]),
    [
      [1, "3", "uncertain"],
      [2, "11", "spoofface"],
      [3, "12", "realface"],
    ],
  );
  const base = "/face/v1.2-preview.1/detectLivenessWithVerify/singleModal/sessions/s-1";
  assert.deepEqual(
    received.map(({ url }) => url),
    [base, `${base}/audit?top=2`, `${base}/audit?start=11&top=2`],
  );
});

test("a preview's audit trail is not asked for before a session has started", async (t) => {
  const session = { id: "s-1", createdDateTime: "c", sessionExpired: false, status: "NotStarted" };
  const { face, received } = await startService(t, () => ({ json: session }), { apiVersion: "v1.1-preview.1" });
  assert.deepEqual((await face.get("liveness", "s-1"))?.value.attempts, []);
  assert.equal(received.length, 1);
  assert.equal(await face.sessionImage("i-1"), undefined);
  assert.equal(received.length, 1);
});

test("a session that is deleted while its audit trail is read is told as it was", async (t) => {
  const result = { id: 1, response: { body: { livenessDecision: "realface" } } };
  const session = { id: "s-1", createdDateTime: "c", sessionExpired: false, status: "ResultAvailable", result };
  const { face } = await startService(t, ({ url }) => (url.includes("audit") ? notFound : { json: session }), {
    apiVersion: "v1.1-preview.1",
  });
  assert.equal((await face.get("liveness", "s-1"))?.value.attempts.length, 1);
});

test("audit ids beyond the reach of numbers page exactly", async (t) => {
  const ids = ["9223372036854775806", "9223372036854775807"];
  const session = { id: "s-1", createdDateTime: "c", sessionExpired: false, status: "Started" };
  const { face, received } = await startService(
    t,
    ({ url }) => {
      const { pathname, searchParams } = new URL(url, "http://host");
      if (!pathname.endsWith("/audit")) return { json: session };
      const next = ids.find((id) => BigInt(id) > BigInt(searchParams.get("start") ?? 0));
      return { body: next === undefined ? "[]" : `[{"id":${next},"response":{"statusCode":200}}]` };
    },
    { apiVersion: "v1.1-preview.1", auditPageSize: 1 },
  );
  const state = await face.get("liveness", "s-1");
  assert.deepEqual(
    state?.value.attempts.map(({ audit }) => audit?.id),
    ids,
  );
  assert.equal(received.length, 4);
});

test("with every log of the libraries on, nothing of a call is printed", async (t) => {
  const { endpoint } = await startService(t, ({ method }, response, count) => {
    if (count === 3) return void response.destroy();
    return { json: method === "POST" ? created : { ...notStarted, authToken: token } };
  });
  const script = `
    const { createFaceClient } = await import(${JSON.stringify(new URL("../../src/face/face-client.ts", import.meta.url))});
    const face = createFaceClient(${JSON.stringify({ endpoint, apiVersion: "v1.2", credential: { key } })});
    const request = ${JSON.stringify(request)};
    const image = { bytes: Buffer.from("image-bytes"), filename: "a-person.jpg" };
    await face.create("livenessWithVerify", request, image);
    await face.get("liveness", "s-1");
    const error = await face.create("livenessWithVerify", request, image).catch((error) => error);
    console.log(error, JSON.stringify(error));
  `;
  const env = { ...process.env, AZURE_LOG_LEVEL: "verbose", DEBUG: "*" };
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "--eval", script], { env });
  assert.match(stdout, /FaceUnreachable/);
  assert.doesNotMatch(stdout + stderr, /key-of-the-test|eyJ|image-bytes|aW1hZ2UtYnl0ZXM|a-person|a-device/);
  assert.doesNotMatch(stderr, /detectLiveness/);
});
