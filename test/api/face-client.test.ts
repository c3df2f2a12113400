import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { createFaceService } from "../../src/face/client/face-service.ts";
import {
  created,
  failureOf,
  type Handler,
  key,
  notFound,
  notStarted,
  ref,
  request,
  startService,
  token,
} from "./support/face-service.ts";

const run = promisify(execFile);

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
  const { userCorrelationId: _, ...ofVersion } = request;
  assert.deepEqual(JSON.parse(String(one?.body)), ofVersion);
});

test("an image is a file part, byte for byte", async (t) => {
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

test("trailing slashes of the endpoint are ignored", async (t) => {
  const { received, endpoint } = await startService(t, () => ({ json: notStarted }));
  for (const ending of ["", "/", "//"]) {
    const face = createFaceService({ endpoint: `${endpoint}${ending}`, apiVersion: "v1.2", credential: { key } });
    assert.equal((await face.get(ref("liveness", "s-1")))?.value.status, "NotStarted");
  }
  assert.deepEqual(new Set(received.map(({ url }) => url)), new Set(["/face/v1.2/detectLiveness-sessions/s-1"]));
});

test("an id is encoded as one path segment; ids that cannot be one are absent", async (t) => {
  const { face, received } = await startService(t, () => ({ json: notStarted }));
  await face.get(ref("liveness", "a/b?c{0}%2e"));
  for (const id of ["", ".", "..", "\ud800"]) {
    assert.equal(await face.get(ref("liveness", id)), undefined);
    assert.equal(await face.revoke(ref("liveness", id)), false);
    assert.equal(await face.sessionImage(id), undefined);
  }
  const urls = received.map(({ url }) => url);
  assert.deepEqual(urls, ["/face/v1.2/detectLiveness-sessions/a%2Fb%3Fc%7B0%7D%252e"]);
});

test("a creation is never retried", async (t) => {
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

test("other calls are retried at most twice", async (t) => {
  const { face, received } = await startService(t, () => ({ status: 503, json: {} }));
  assert.equal((await failureOf(face.get(ref("liveness", "s-1")))).status, 503);
  assert.equal(received.length, 3);
});

test("a read that succeeds on a retry has succeeded", async (t) => {
  const { face, received } = await startService(t, (_received, response, count) => {
    if (count === 1) return void response.destroy();
    return count === 2 ? { status: 500, body: "" } : { json: notStarted };
  });
  assert.equal((await face.get(ref("liveness", "s-1")))?.value.sessionId, "s-1");
  assert.equal(received.length, 3);
});

test("a deletion whose answer was lost -> true, although the retry answers 404", async (t) => {
  const { face, received } = await startService(t, (_received, response, count) =>
    count === 1 ? void response.destroy() : notFound,
  );
  assert.equal(await face.revoke(ref("liveness", "s-1")), true);
  const methods = received.map(({ method }) => method);
  assert.deepEqual(methods, ["DELETE", "DELETE"]);
});

test("a long Retry-After is passed on at once, without a retry", async (t) => {
  const { face, received } = await startService(t, () => ({
    status: 429,
    headers: { "retry-after": "3600", "apim-request-id": "r-2" },
    json: { error: { statusCode: 429, message: "Rate limit is exceeded. Try again in 3600 seconds." } },
  }));
  for (const call of [
    face.get(ref("liveness", "s-1")),
    face.revoke(ref("liveness", "s-1")),
    face.create("liveness", request),
  ]) {
    const { status, code, message, retryAfter, headers } = await failureOf(call);
    assert.deepEqual([status, code, retryAfter, headers], [429, "429", "3600", { "apim-request-id": "r-2" }]);
    assert.equal(message, "Rate limit is exceeded. Try again in 3600 seconds.");
  }
  assert.equal(received.length, 3);
});

test("the libraries' verbose logs contain no key, token, image or URL", async (t) => {
  const { endpoint } = await startService(t, ({ method }, response, count) => {
    if (count === 3) return void response.destroy();
    return { json: method === "POST" ? created : { ...notStarted, authToken: token } };
  });
  const script = `
    const { createFaceService } = await import(${JSON.stringify(new URL("../../src/face/client/face-service.ts", import.meta.url))});
    const face = createFaceService(${JSON.stringify({ endpoint, apiVersion: "v1.2", credential: { key } })});
    const request = ${JSON.stringify(request)};
    const image = { bytes: Buffer.from("image-bytes"), filename: "a-person.jpg" };
    await face.create("livenessWithVerify", request, image);
    await face.get({ kind: "liveness", sessionId: "s-1", upstreamVersion: "v1.2" });
    const error = await face.create("livenessWithVerify", request, image).catch((error) => error);
    console.log(error, JSON.stringify(error));
  `;
  const env = { ...process.env, AZURE_LOG_LEVEL: "verbose", DEBUG: "*" };
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "--eval", script], { env });
  assert.match(stdout, /FaceUnreachable/);
  assert.doesNotMatch(stdout + stderr, /key-of-the-test|eyJ|image-bytes|aW1hZ2UtYnl0ZXM|a-person|a-device/);
  assert.doesNotMatch(stderr, /detectLiveness/);
});

const previewSession = (status: string, result?: object) => ({
  ...{ id: "s-1", createdDateTime: "c", sessionExpired: false, status },
  ...(result !== undefined && { result }),
});

test("a token in a GET is a field of its own", async (t) => {
  const { face } = await startService(t, () => ({ json: { ...notStarted, authToken: token } }));
  const session = await face.get(ref("liveness", "s-1"));
  assert.equal(session?.value.authToken, token);
  assert.equal(session?.value.extra, undefined);
});

test("a session of a preview has all attempts, read page by page from the audit trail", async (t) => {
  const entry = (id: number | string, livenessDecision: string) => ({
    id,
    response: { body: { livenessDecision }, statusCode: 200 },
    digest: `D${id}`,
  });
  const entries = [entry(3, "uncertain"), entry(11, "spoofface"), entry(12, "realface")];
  const session = previewSession("ResultAvailable", entries[2]);
  const { face, received } = await startService(
    t,
    ({ url }) => {
      const { pathname, searchParams } = new URL(url, "http://host");
      if (!pathname.endsWith("/audit")) return { json: session, headers: { "apim-request-id": "r-4" } };
      const after = Number(searchParams.get("start") ?? 0);
      return { json: entries.filter(({ id }) => Number(id) > after).slice(0, Number(searchParams.get("top"))) };
    },
    { auditPageSize: 2 },
  );
  const answer = await face.get(ref("livenessWithVerify", "s-1", "v1.2-preview.1"));
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
  const urls = received.map(({ url }) => url);
  assert.deepEqual(urls, [base, `${base}/audit?top=2`, `${base}/audit?start=11&top=2`]);
});

test("the audit trail is not read before a session has started", async (t) => {
  const session = previewSession("NotStarted");
  const { face, received } = await startService(t, () => ({ json: session }));
  assert.deepEqual((await face.get(ref("liveness", "s-1", "v1.1-preview.1")))?.value.attempts, []);
  assert.equal(received.length, 1);
});

test("a session deleted while its audit trail is read -> its last state", async (t) => {
  const result = { id: 1, response: { body: { livenessDecision: "realface" } } };
  const session = previewSession("ResultAvailable", result);
  const { face } = await startService(t, ({ url }) => (url.includes("audit") ? notFound : { json: session }));
  assert.equal((await face.get(ref("liveness", "s-1", "v1.1-preview.1")))?.value.attempts.length, 1);
});

test("audit ids beyond 2^53 page exactly", async (t) => {
  const ids = ["9223372036854775806", "9223372036854775807"];
  const session = previewSession("Started");
  const { face, received } = await startService(
    t,
    ({ url }) => {
      const { pathname, searchParams } = new URL(url, "http://host");
      if (!pathname.endsWith("/audit")) return { json: session };
      const next = ids.find((id) => BigInt(id) > BigInt(searchParams.get("start") ?? 0));
      return { body: next === undefined ? "[]" : `[{"id":${next},"response":{"statusCode":200}}]` };
    },
    { auditPageSize: 1 },
  );
  const state = await face.get(ref("liveness", "s-1", "v1.1-preview.1"));
  const auditIds = state?.value.attempts.map(({ audit }) => audit?.id);
  assert.deepEqual(auditIds, ids);
  assert.equal(received.length, 4);
});
