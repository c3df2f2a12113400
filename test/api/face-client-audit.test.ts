import assert from "node:assert/strict";
import { test } from "node:test";
import { notFound, notStarted, ref, startService, token } from "./support/face-service.ts";

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
  assert.deepEqual(
    received.map(({ url }) => url),
    [base, `${base}/audit?top=2`, `${base}/audit?start=11&top=2`],
  );
});

test("the audit trail is not read before a session has started", async (t) => {
  const session = { id: "s-1", createdDateTime: "c", sessionExpired: false, status: "NotStarted" };
  const { face, received } = await startService(t, () => ({ json: session }));
  assert.deepEqual((await face.get(ref("liveness", "s-1", "v1.1-preview.1")))?.value.attempts, []);
  assert.equal(received.length, 1);
});

test("a session deleted while its audit trail is read -> its last state", async (t) => {
  const result = { id: 1, response: { body: { livenessDecision: "realface" } } };
  const session = { id: "s-1", createdDateTime: "c", sessionExpired: false, status: "ResultAvailable", result };
  const { face } = await startService(t, ({ url }) => (url.includes("audit") ? notFound : { json: session }));
  assert.equal((await face.get(ref("liveness", "s-1", "v1.1-preview.1")))?.value.attempts.length, 1);
});

test("audit ids beyond 2^53 page exactly", async (t) => {
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
    { auditPageSize: 1 },
  );
  const state = await face.get(ref("liveness", "s-1", "v1.1-preview.1"));
  assert.deepEqual(
    state?.value.attempts.map(({ audit }) => audit?.id),
    ids,
  );
  assert.equal(received.length, 4);
});
