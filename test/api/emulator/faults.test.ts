import assert from "node:assert/strict";
import { test } from "node:test";
import { createFaults } from "../../local/emulator/faults.ts";
import { assertError, at, type StandIn, startStandIn } from "./stand-in.ts";

const v12 = "/face/v1.2/detectLiveness-sessions";
const json = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

async function inject(emulator: StandIn, fault: object): Promise<void> {
  const answer = await emulator.call("/emulator/faults", { json: fault });
  assert.equal(answer.status, 200, answer.text);
}

test("a fault affects `times` calls of its operation only", async (t) => {
  const emulator = await startStandIn(t);
  const { sessionId } = await emulator.open(v12);
  await inject(emulator, { operation: "get", status: 500, times: 2 });
  await inject(emulator, { operation: "get", status: 503, retryAfter: 7 });
  assert.equal((await emulator.face(v12, { json })).status, 200);
  const get = () => emulator.face(`${v12}/${sessionId}`);
  assertError(await get(), 500, "InternalServerError");
  const { json: listed } = await emulator.call("/emulator/faults");
  assert.deepEqual(at(listed, "faults", 0), { operation: "get", status: 500, times: 1 });
  assertError(await get(), 500, "InternalServerError");
  const unavailable = await get();
  assertError(unavailable, 503, "ServiceUnavailable");
  assert.equal(unavailable.headers.get("retry-after"), "7");
  assert.equal((await get()).status, 200);
  assert.deepEqual((await emulator.call("/emulator/faults")).json, { faults: [] });
});

test("403 and 429 come from the gateway, in its shape and without a code", async (t) => {
  const emulator = await startStandIn(t);
  await inject(emulator, { operation: "create", status: 429, retryAfter: 3 });
  await inject(emulator, { operation: "create", status: 429 });
  await inject(emulator, { operation: "create", status: 403, code: "UnsupportedFeature", message: "Not approved." });
  const limited = await emulator.face(v12, { json });
  assert.equal(limited.status, 429);
  assert.deepEqual(limited.json, {
    error: { statusCode: 429, message: "Rate limit is exceeded. Try again in 3 seconds." },
  });
  assert.equal(limited.headers.get("retry-after"), "3");
  assert.equal(limited.headers.get("x-ms-error-code"), null);
  assert.match(limited.headers.get("apim-request-id") ?? "", /^[0-9a-f-]{36}$/);
  assert.equal((await emulator.face(v12, { json })).headers.get("retry-after"), null);
  assertError(await emulator.face(v12, { json }), 403, "UnsupportedFeature");
});

test("a reset closes the connection before or after the operation", async (t) => {
  const emulator = await startStandIn(t);
  const sessions = async () => at((await emulator.call("/emulator/state")).json, "sessions", "length");
  const isReset = (error: unknown) => at(error, "cause", "code") === "ECONNRESET";
  await inject(emulator, { operation: "create", reset: true });
  await assert.rejects(emulator.face(v12, { json }), isReset);
  assert.equal(await sessions(), 0);
  await inject(emulator, { operation: "create", reset: true, after: true });
  await assert.rejects(emulator.face(v12, { json }), isReset);
  assert.equal(await sessions(), 1);
  assert.equal((await emulator.face(v12, { json })).status, 200);
});

test("with after, the operation is carried out and its answer replaced", async (t) => {
  const emulator = await startStandIn(t);
  const { sessionId } = await emulator.open(v12);
  await inject(emulator, { operation: "delete", status: 500, after: true });
  const remove = () => emulator.face(`${v12}/${sessionId}`, { method: "DELETE" });
  assertError(await remove(), 500, "InternalServerError");
  assertError(await remove(), 404, "SessionNotFound");
  await inject(emulator, { operation: "delete", status: 503, after: true });
  assertError(await remove(), 503, "ServiceUnavailable");
});

test("delays before and after the operation add up and do not change the answer", async (t) => {
  const faults = createFaults();
  faults.add({ operation: "create", delayMs: 20, times: 2 });
  faults.add({ operation: "create", delayMs: 30, after: true });
  faults.add({ operation: "create", delayMs: 40, status: 500 });
  faults.add({ operation: "get", delayMs: 50 });
  const { delayMs, fault } = faults.strike("create");
  assert.deepEqual([delayMs, fault?.status], [{ before: 60, after: 30 }, 500]);
  assert.deepEqual(faults.strike("create"), { delayMs: { before: 20, after: 0 } });
  assert.deepEqual(faults.strike("create"), { delayMs: { before: 0, after: 0 } });

  const emulator = await startStandIn(t);
  await inject(emulator, { operation: "create", delayMs: 5, times: 2 });
  await inject(emulator, { operation: "create", delayMs: 5, after: true });
  assert.equal((await emulator.face(v12, { json })).status, 200);
  assert.equal((await emulator.face(v12, { json })).status, 200);
});

test("a rate affects its share of the calls, the same calls in every run", async (t) => {
  const emulator = await startStandIn(t);
  const { sessionId } = await emulator.open(v12);
  const run = async () => {
    await emulator.call("/emulator/faults", { method: "DELETE" });
    await inject(emulator, { operation: "get", status: 429, rate: 0.3 });
    await inject(emulator, { operation: "get", status: 500, rate: 0.2 });
    const statuses: number[] = [];
    for (let call = 0; call < 200; call += 1) statuses.push((await emulator.face(`${v12}/${sessionId}`)).status);
    return statuses;
  };
  const first = await run();
  const share = (status: number) => first.filter((seen) => seen === status).length / first.length;
  assert.ok(share(429) > 0.2 && share(429) < 0.4, `429: ${share(429)}`);
  assert.ok(share(500) > 0.07 && share(500) < 0.22, `500: ${share(500)}`);
  assert.deepEqual(await run(), first);
});

test("invalid faults -> 400 with the reason", async (t) => {
  const emulator = await startStandIn(t);
  for (const [fault, reason] of [
    [{ operation: "get" }, /status, reset and delayMs/],
    [{ status: 500 }, /operation/],
    [{ operation: "fetch", status: 500 }, /operation/],
    [{ operation: "get", status: 200 }, /status/],
    [{ operation: "get", status: 500, times: 1, rate: 0.5 }, /times or rate/],
    [{ operation: "get", status: 500, rate: 2 }, /rate/],
    [{ operation: "get", status: 500, reset: true }, /status or reset/],
    [{ operation: "get", reset: true, retryAfter: 1 }, /need status/],
    [{ operation: "get", status: 500, tims: 1 }, /tims/],
  ] as const) {
    const answer = await emulator.call("/emulator/faults", { json: fault });
    assertError(answer, 400, "InvalidRequestBody");
    assert.match(String(at(answer.json, "error", "message")), reason);
  }
  assert.deepEqual((await emulator.call("/emulator/faults")).json, { faults: [] });
});
