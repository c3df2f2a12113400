import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { metrics } from "../../src/telemetry/telemetry.ts";
import { makeImage } from "../fixtures/images.ts";
import { createAppClient, verifyCreation, verifySessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { startTelemetryIntake } from "./support/telemetry-intake.ts";

const key = `client-key-${randomUUID()}`;
const probe = pathToFileURL(join(import.meta.dirname, "support/outward-probe.ts")).href;

const { stack, play, control } = await openStack({
  env: {
    CLIENT_KEYS: JSON.stringify({ shop: [createHash("sha256").update(key).digest("hex")] }),
    NODE_OPTIONS: `--import=${probe}`,
  },
});

/** A process of the app, which sends its telemetry at its end. */
async function start(env: Record<string, string>) {
  const host = await stack.startAnotherApp(env);
  return { host, app: createAppClient(host.url, { "ocp-apim-subscription-key": key }) };
}

const traceParent = () => {
  const trace = randomBytes(16).toString("hex");
  return { trace, header: `00-${trace}-${randomBytes(8).toString("hex")}-01` };
};

test("spans and metrics of a check and of the timer", async (t) => {
  const intake = await startTelemetryIntake(t);
  const { host, app } = await start({
    APPLICATIONINSIGHTS_CONNECTION_STRING: intake.connectionString,
    WEBSITE_SITE_NAME: "func-liveness",
  });
  const deviceCorrelationId = `device-${randomUUID()}`;
  const image = makeImage({ sizeInBytes: 4096 }, 3);
  const creation = traceParent();
  const callerRequestId = randomUUID();
  const opened = await app.send(verifySessionsPath, {
    ...verifyCreation(deviceCorrelationId, {}, image),
    headers: { traceparent: creation.header, "x-ms-client-request-id": callerRequestId },
  });
  assert.equal(opened.status, 200);
  const session = opened.body as { sessionId: string; authToken: string };
  await play(session, { scenario: "realface", matchConfidence: 0.9 });
  const settling = traceParent();
  const settled = await app.send(`api/sessions/${session.sessionId}/settle`, {
    json: {},
    headers: { traceparent: settling.header },
  });
  assert.equal(settled.status, 200);
  const refused = traceParent();
  const stranger = traceParent();
  const strangersId = randomUUID();
  const unknown = await createAppClient(host.url).send(`api/sessions/${session.sessionId}`, {
    headers: { traceparent: stranger.header, "x-ms-client-request-id": strangersId },
  });
  assert.equal(unknown.status, 401);
  const missing = await app.send("api/sessions/unknown-session", {
    headers: { traceparent: refused.header, "x-ms-client-request-id": key },
  });
  assert.equal(missing.status, 404);
  // The timer collects this session; its first read fails.
  const left = await app.openSession();
  await play(left, { scenario: "spoofface" });
  await control("/clock", { advanceSeconds: 3600 });
  await control("/faults", { operation: "get", status: 500, times: 1 });
  await host.runFunction("maintainSessions");
  await host.stop();

  const spans = intake.spans();
  const ofTrace = (trace: string) => spans.filter((span) => span.trace === trace);
  const [work, ...others] = ofTrace(creation.trace).filter(({ type }) => type === "InProc");
  assert.ok(work);
  assert.deepEqual(others, []);
  assert.equal(work.name, "createLivenessWithVerifySession");
  assert.equal(work.role, "func-liveness");
  assert.equal(work.facts["liveness.client"], "shop");
  assert.equal(work.facts["liveness.session_id"], session.sessionId);
  assert.equal(work.facts["caller.request_id"], callerRequestId);
  assert.equal(work.facts["response.status"], "200");
  assert.ok(work.facts["faas.invocation_id"]);
  const calls = ofTrace(creation.trace).filter((span) => span !== work);
  assert.deepEqual(calls.map(({ name }) => name).sort(), [
    "creations.commit",
    "creations.reserve",
    "face.create",
    "images.put",
    "schedule.put",
  ]);
  assert.ok(calls.every(({ parent, success }) => parent === work.id && success === true));
  const face = calls.find(({ name }) => name === "face.create");
  assert.equal(face?.facts["face.request_id"], opened.headers.get("apim-request-id"));
  assert.equal(face?.resultCode, "200");
  assert.equal(face?.target, new URL(stack.emulator.url).host);
  assert.equal(face?.facts.requests, "1");

  const settlingCalls = ofTrace(settling.trace).map(({ name }) => name);
  assert.deepEqual(settlingCalls.sort(), ["deliverySchedule.put", "face.get", "sessions.update", "settleSession"]);
  const settlingWork = ofTrace(settling.trace).find(({ type }) => type === "InProc");
  assert.equal(settlingWork?.facts["liveness.session_id"], session.sessionId);
  const [turnedAway] = ofTrace(stranger.trace);
  assert.equal(turnedAway?.facts["caller.request_id"], strangersId);
  assert.deepEqual([turnedAway?.facts["response.status"], turnedAway?.facts["liveness.client"]], ["401", undefined]);
  const [refusal] = ofTrace(refused.trace).filter(({ type }) => type === "InProc");
  assert.equal(refusal?.facts["error.code"], "SessionNotFound");
  assert.deepEqual([refusal?.facts["response.status"], refusal?.success], ["404", true]);
  assert.equal(refusal?.facts["liveness.session_id"], undefined);
  assert.equal(refusal?.facts["caller.request_id"], undefined, "only an id is recorded");
  const run = spans.find(({ name }) => name === "maintainSessions");
  const reads = spans.filter(({ name, parent }) => name === "face.get" && parent === run?.id);
  // The timer reads the settled session again, because it has attempts left, and the other one for the first time.
  const requests = reads.map(({ facts }) => facts.requests).sort();
  assert.deepEqual(requests, ["1", "2"], "the first request was answered 500 and retried");
  assert.equal(run?.facts["liveness.session_id"], undefined, "a run has many sessions");
  assert.ok(spans.some(({ name, parent }) => name === "schedule.dueEntries" && parent === run?.id));

  const measured = (name: string) => intake.measurements(name).map(({ value, facts }) => [facts, value] as const);
  const verify = { kind: "livenessWithVerify" };
  const versions = { apiVersion: "v1.2", upstreamVersion: "v1.2" };
  assert.deepEqual(measured("liveness.creations"), [
    [{ ...verify, ...versions }, 1],
    [{ kind: "liveness", ...versions }, 1],
  ]);
  assert.deepEqual(measured("liveness.decisions"), [
    [{ ...verify, decision: "accepted" }, 1],
    [{ kind: "liveness", decision: "rejected" }, 1],
  ]);
  const reasons = measured("liveness.reasons").map(([{ reason }]) => reason);
  assert.ok(reasons.includes("RealFace") && reasons.includes("SpoofDetected"), String(reasons));
  const attempts = measured("liveness.attempts").reduce((sum, [, value]) => sum + value, 0);
  assert.equal(attempts, 2);
  const durations = intake.measurements("face.duration");
  assert.deepEqual(durations.map(({ facts, count }) => [facts.operation, facts.status, count]).sort(), [
    ["face.create", "200", 2],
    // Includes the timer's read of the settled session.
    ["face.get", "200", 3],
    ["face.get", "500", 1],
  ]);
  assert.deepEqual(measured("maintenance.sessions"), [[{ result: "collected" }, 2]]);
  assert.equal(intake.measurements("maintenance.duration").length, 1);
  assert.equal(intake.measurements("maintenance.oldest_due_age").length, 1);

  const queries = join(import.meta.dirname, "../../infra/queries");
  const known = new Set(
    [...spans, ...Object.keys(metrics).flatMap(intake.measurements)].flatMap(({ facts }) => Object.keys(facts)),
  );
  for (const file of await readdir(queries)) {
    const text = await readFile(join(queries, file), "utf8");
    for (const [, quoted, plain] of text.matchAll(/Properties(?:\['([^']+)'\]|\.(\w+))/g)) {
      assert.ok(known.has(quoted ?? plain ?? ""), `${file} queries ${quoted ?? plain}`);
    }
  }

  assert.doesNotMatch(host.output(), /^outward /m, "no requests to other hosts");
  assert.match(host.output(), /^loaded .*start-telemetry/m);
  const sent = intake.text();
  const secrets = [session.authToken, session.authToken.slice(-30), stack.emulator.key, key];
  for (const secret of [...secrets, deviceCorrelationId, image.subarray(100, 160).toString("base64")]) {
    assert.equal(sent.includes(secret), false);
  }
});

test("no connection string -> the telemetry code is not loaded", async () => {
  const { host, app } = await start({});
  await app.openSession();
  await host.stop();
  assert.match(host.output(), /^loaded .*compose/m);
  assert.doesNotMatch(host.output(), /^loaded .*telemetry/m);
});

test("TELEMETRY_SAMPLING_RATIO applies to spans, not to metrics", async (t) => {
  const intake = await startTelemetryIntake(t);
  const { host, app } = await start({
    APPLICATIONINSIGHTS_CONNECTION_STRING: intake.connectionString,
    TELEMETRY_SAMPLING_RATIO: "0",
  });
  await app.openSession();
  await host.stop();
  assert.deepEqual(intake.spans(), []);
  assert.equal(intake.measurements("liveness.creations").length, 1);
});

for (const status of [403, 503]) {
  test(`Application Insights answers ${status} -> one log line`, async (t) => {
    const intake = await startTelemetryIntake(t, status);
    const { host, app } = await start({ APPLICATIONINSIGHTS_CONNECTION_STRING: intake.connectionString });
    await app.openSession();
    await host.stop();
    assert.equal(host.output().match(/"event":"TelemetryFailed"/g)?.length, 1, host.output());
    assert.ok(host.output().includes(`Application Insights answered ${status}.`));
  });
}

for (const [fault, connectionString] of [
  ["is invalid", "InstrumentationKey=nonsense"],
  [
    "names an unreachable host",
    "InstrumentationKey=11111111-2222-3333-4444-555555555555;IngestionEndpoint=http://127.0.0.1:9/",
  ],
] as const) {
  test(`requests succeed where the connection string ${fault}`, async () => {
    const { host, app } = await start({ APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString });
    await app.openSession();
    assert.equal((await app.send("api/health/ready")).status, 200);
    await host.stop();
    assert.match(host.output(), /"event":"TelemetryFailed"/);
    if (fault !== "is invalid") assert.match(host.output(), /cannot be reached: RestError, ECONNREFUSED\./);
    assert.doesNotMatch(host.output(), /^outward /m);
  });
}
