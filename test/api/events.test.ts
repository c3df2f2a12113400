import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { type TestContext, test } from "node:test";
import { type Stack, type StackOptions, startStack } from "../local/stack.ts";
import { control, createAppClient, playAttempt } from "./support/app-client.ts";
import { inParallel } from "./support/in-parallel.ts";
import { viewStorage } from "./support/storage-view.ts";
import { until } from "./support/until.ts";

interface ListedEvent {
  id: string;
  type: string;
  data: Record<string, unknown>;
  deliveries: { receiver: string; state: string; cause?: string }[];
}

async function start(t: TestContext, options: StackOptions = {}) {
  const stack = await startStack({ webhooks: true, ...options });
  t.after(() => stack.stop());
  const app = createAppClient(stack.url);

  /** Opens a session, plays an attempt and settles it. Returns its id. */
  async function decide(device?: string, scenario = "realface"): Promise<string> {
    const session = await app.openSession(device);
    await playAttempt(stack.emulator, session, { scenario });
    await app.settle(session.sessionId);
    return session.sessionId;
  }

  /** Moves the clock, then runs the timer once. */
  async function later(minutes: number): Promise<void> {
    await control(stack.emulator, "/clock", { advanceSeconds: minutes * 60 });
    const { status, error } = await stack.app.runFunction("maintainSessions");
    assert.equal(status, "Succeeded", error);
  }

  async function listEvents(): Promise<ListedEvent[]> {
    const events: ListedEvent[] = [];
    let path: string | undefined = "api/events?top=100";
    while (path !== undefined) {
      const { status, body } = await app.send(path);
      assert.equal(status, 200, JSON.stringify(body));
      const page = body as { value: ListedEvent[]; nextLink?: string };
      events.push(...page.value);
      path = page.nextLink?.slice(stack.url.length + 1);
    }
    return events;
  }

  const fault = (json: unknown) =>
    fetch(`${stack.receiver.url}/faults`, {
      method: "POST",
      body: JSON.stringify(json),
      headers: { "content-type": "application/json" },
    });
  return { stack, app, decide, later, listEvents, fault };
}

/** Ids of accepted webhooks, once each, with the session in the data. */
function arrived({ receiver }: Stack): Map<string, unknown> {
  const accepted = receiver.received().filter(({ answer }) => answer === 204);
  return new Map(accepted.map(({ id, event }) => [id ?? "", event?.data.sessionId]));
}

test("a decision reaches the receiver at once, signed, and the lists after the next run of the timer", async (t) => {
  const { stack, app, decide, later, listEvents } = await start(t);
  const sessionId = await decide("a-phone");
  const [webhook] = stack.receiver.received();
  assert.deepEqual([webhook?.signature, webhook?.answer], ["valid", 204]);
  const { type, subject, data } = webhook?.event ?? assert.fail();
  assert.deepEqual([type, subject], ["liveness.session.decided", `sessions/${sessionId}`]);
  const { revision } = await app.session(sessionId);
  assert.deepEqual(data, {
    ...{ sessionId, kind: "liveness", deviceCorrelationId: "a-phone", decision: "accepted" },
    ...{ reasons: ["RealFace", "ClientDigestMissing"], final: true, revision },
  });
  await later(1);
  const [event, ...others] = await listEvents();
  assert.deepEqual([event?.id, event?.deliveries[0]?.state, others], [webhook?.id, "delivered", []]);
  const { body } = await app.send("api/outcomes");
  const { value, asOf } = body as { value: { sessionId: string }[]; asOf: string };
  assert.deepEqual(
    value.map((outcome) => outcome.sessionId),
    [sessionId],
  );
  assert.ok(Date.parse(asOf) > 0);
});

test("receivers that fail in any way get each event later, and answers do not wait for them", async (t) => {
  const { stack, decide, later, listEvents, fault } = await start(t);
  const faults = [
    { status: 500 },
    { status: 429, retryAfter: 60 },
    { status: 503, retryAfter: 3600 },
    { reset: true },
    { delayMs: 60_000 },
    { redirectTo: `${stack.receiver.url}/` },
    { status: 401 },
  ];
  const decided: string[] = [];
  for (const one of faults) {
    assert.equal((await fault({ ...one, times: 1 })).status, 200);
    decided.push(await decide());
  }
  // The receiver has accepted the one that hangs, but the app does not wait for its answer.
  const hanging = decided.slice(4, 5);
  assert.deepEqual([...arrived(stack).values()], hanging);
  await later(1);
  assert.deepEqual([...arrived(stack).values()], hanging, "not before the first delay");
  await later(6);
  const waiting = decided[2] ?? "";
  assert.deepEqual(
    [...arrived(stack).values(), waiting].sort(),
    decided.toSorted(),
    "all but the one with Retry-After",
  );
  await later(60);
  assert.deepEqual([...arrived(stack).values()].sort(), decided.toSorted());
  const events = await listEvents();
  assert.deepEqual(
    events.map(({ deliveries }) => deliveries[0]?.state),
    faults.map(() => "delivered"),
  );
  await later(120);
  assert.equal(stack.receiver.received().filter(({ answer }) => answer === 204).length, faults.length + 1, "each once");
});

test("410 disables the receiver for all processes, until its settings change", async (t) => {
  const { stack, decide, later, listEvents, fault } = await start(t);
  await fault({ status: 410, times: 1 });
  await decide();
  const calls = stack.receiver.received().length;
  const other = await stack.startAnotherApp();
  const elsewhere = createAppClient(other.url);
  const session = await elsewhere.openSession();
  await playAttempt(stack.emulator, session, { scenario: "realface" });
  await elsewhere.settle(session.sessionId);
  await later(10);
  assert.equal(stack.receiver.received().length, calls);
  assert.deepEqual(
    (await listEvents()).map(({ deliveries }) => deliveries[0]?.state),
    ["failed", "failed"],
  );
  const [endpoint] = JSON.parse(stack.receiver.endpoints);
  const changed = [{ ...endpoint, types: ["liveness.session.decided"] }];
  await stack.restartApp({ WEBHOOK_ENDPOINTS: JSON.stringify(changed) });
  await decide();
  assert.equal(stack.receiver.received().length, calls + 1);
});

test("lockouts and erasures are announced; an erasure leaves no event of what it erased", async (t) => {
  const { stack, app, decide, later, listEvents } = await start(t, { env: { LOCKOUT_REJECTIONS: "2" } });
  await decide("a-phone", "spoofface");
  await decide("a-phone", "spoofface");
  const types = () => stack.receiver.received().map(({ event }) => event?.type);
  assert.deepEqual(types().slice(-1), ["liveness.device.locked_out"]);
  await later(1);
  assert.equal((await app.send("api/devices/a-phone", { method: "DELETE" })).status, 200);
  assert.deepEqual(types().slice(-1), ["liveness.device.erased"]);
  await later(15);
  const deviceCorrelationIdSha256 = createHash("sha256").update("a-phone").digest("hex");
  assert.deepEqual(
    (await listEvents()).map(({ data }) => data),
    [{ deviceCorrelationIdSha256, sessions: 2, referenceImages: 0 }],
  );
  const storage = viewStorage(stack.azurite.connectionString);
  for (const table of ["sessions", "expiry", "outcomes", "sessionids", "users"] as const) {
    assert.equal(JSON.stringify(await storage.rows(table)).includes("a-phone"), false, table);
  }
});

test("processes that are killed while they record and deliver: each event arrives, none without its outcome", async (t) => {
  const { stack, app, later, listEvents, fault } = await start(t);
  const total = 60;
  const sessions = await Promise.all(
    Array.from({ length: total }, async (_, number) => {
      const session = await app.openSession(`device-${number % 20}-${randomUUID()}`);
      await playAttempt(stack.emulator, session, { scenario: number % 3 === 0 ? "spoofface" : "realface" });
      return session.sessionId;
    }),
  );
  await fault({ status: 500, rate: 0.2 });
  for (const seen of [5, 20, 40]) {
    const settling = inParallel(sessions.length, 8, async (number) => {
      await app.send(`api/sessions/${sessions[number]}/settle`, { json: {} }).catch(() => undefined);
    });
    await until(async () => stack.receiver.received().length >= seen);
    stack.app.kill("SIGKILL");
    await settling;
    await stack.restartApp();
  }
  await later(2);
  for (let run = 0; run < 6; run += 1) await later(7 * 4 ** run);
  const records = (await viewStorage(stack.azurite.connectionString).rows("sessions")).filter(({ rowKey }) =>
    rowKey?.startsWith("s_"),
  );
  const recorded = records.flatMap(({ events }) =>
    (JSON.parse(String(events ?? "[]")) as { id: string }[]).map(({ id }) => id),
  );
  assert.deepEqual([...arrived(stack).keys()].sort(), recorded.sort());
  assert.deepEqual((await listEvents()).map(({ id }) => id).sort(), recorded.sort());
  assert.deepEqual([...new Set(arrived(stack).values())].sort(), sessions.toSorted());
});
