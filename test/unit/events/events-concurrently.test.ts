import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { readEventPage } from "../../../src/events/event-pages.ts";
import { redeliver } from "../../../src/events/redeliver.ts";
import type { Sessions } from "../../../src/liveness/model/sessions.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { runTimer, runTimerAfter } from "../fakes/app.ts";
import { type Hook, stopOn } from "../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { createReceiver, deliveryRowsOf, eventRowsOf, failing, listedEvents } from "../fakes/receiver.ts";
import { seedSession, seedSettled } from "../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../fakes/world.ts";

const day = { ttlSeconds: 86_400 };

const listedOutcomes = ({ storage }: World) =>
  storage.outcomes.all().flatMap(({ sessionId, decision, revision }) => (sessionId ? [[decision, revision]] : []));

describe("the timer and an erasure", () => {
  test("device erased while an event is listed whose first retry is overdue -> nothing of the device is left", async () => {
    const world = createWorld();
    world.targets.push(createReceiver(() => failing));
    await seedSettled(world, { ...day, userCorrelationId: "a-user" });
    world.advance({ minutes: 7 });
    let isErased = false;
    const process = world.start(async ({ name, when }) => {
      if (isErased || name !== "sessions.get" || when !== "after") return undefined;
      isErased = true;
      await eraseDevice(world.start().deps, "a-device");
      return undefined;
    });
    await runTimer(process);
    await runTimerAfter(world, { minutes: 12 }, { minutes: 30 });
    assert.equal(/a-device|a-user/.test(JSON.stringify(world.everything())), false);
  });

  test("device erased while its event is delivered again -> no entry is left", async () => {
    const world = createWorld();
    let isErased = false;
    const erase = async () => {
      if (world.now() < deliveredFrom || isErased) return failing;
      isErased = true;
      await eraseDevice(world.start().deps, "a-device");
      return failing;
    };
    const deliveredFrom = world.now() + 5 * 60_000;
    world.targets.push(createReceiver(erase));
    await seedSettled(world, day);
    await runTimerAfter(world, { minutes: 2 }, { minutes: 5 });
    assert.ok(isErased);
    assert.equal(JSON.stringify(deliveryRowsOf(world)).includes("a-device"), false);
  });

  test("redelivery during a retry -> the schedule of the retry stays", async () => {
    const world = createWorld();
    world.targets.push(createReceiver(() => failing));
    await seedSettled(world, day);
    await runTimerAfter(world, { minutes: 2 });
    const { outbox, eventIndex, now } = world.start().deps;
    const ref = (await eventIndex.find(String(eventRowsOf(world)[0]?.id))) ?? assert.fail();
    const event = (await outbox.get(ref)) ?? assert.fail();
    world.advance({ minutes: 5 });
    const slow = createReceiver(async () => {
      await runTimer(world.start());
      return failing;
    });
    await redeliver({ targets: [slow], outbox, now }, event);
    const [row] = eventRowsOf(world);
    assert.deepEqual([row?.attempts, row?.dueOn], [1, deliveryRowsOf(world)[0]?.dueOn]);
  });
});

describe("an outcome that is recorded while another request or run works", () => {
  test("response of the write lost and the record changed since -> the event arrives and is listed", async () => {
    const world = createWorld();
    const receiver = createReceiver((nth) => (nth <= 2 ? failing : { outcome: "delivered" }));
    world.targets.push(receiver);
    const { record } = await seedSession(world, day, realFace());
    const process = world.start();
    const { sessions } = process.deps;
    let isLost = false;
    const update: Sessions["update"] = async (...written) => {
      const result = await sessions.update(...written);
      if (isLost) return result;
      isLost = true;
      await settleSession(world.start().deps, trusted, record.sessionId, { digest: "service-digest" });
      return undefined;
    };
    const deps = { ...process.deps, sessions: { ...sessions, update } };
    await settleSession(deps, trusted, record.sessionId, {});
    await runTimerAfter(world, { minutes: 2 }, { minutes: 6 }, { minutes: 40 });
    const stored = eventRowsOf(world).map(({ data }) => JSON.parse(String(data)).revision);
    assert.deepEqual(stored.toSorted(), [1, 2]);
    assert.deepEqual(new Set(receiver.received.map(({ data }) => data.revision)), new Set([1, 2]));
    assert.equal(listedEvents(world).length, 2);
  });

  test("slow request, run of the timer in between -> a reader of events misses none", async () => {
    const world = createWorld();
    const spoof = realFace({ livenessDecision: "spoofface" });
    const { record } = await seedSession(world, { ...day, deviceCorrelationId: "slow" }, spoof);
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const process = world.start(async ({ name, nth, when }) => {
      if (name !== "sessions.get" || nth !== 2 || when !== "before") return undefined;
      reached.resolve();
      await gate.promise;
      return undefined;
    });
    const settling = settleSession(process.deps, trusted, record.sessionId, {});
    await reached.promise;
    world.advance({ seconds: 1 });
    await seedSettled(world, { ...day, deviceCorrelationId: "quick" });
    await runTimerAfter(world, { seconds: 1 });
    const first = await readEventPage(world.start().deps, { top: 50 });
    gate.resolve();
    await settling;
    await runTimerAfter(world, { minutes: 5 }, { minutes: 5 });
    const rest = await readEventPage(world.start().deps, { top: 50, after: first.after });
    assert.equal(first.events.length + rest.events.length, 2);
  });

  test("device named after the decision -> announced and listed again with the device", async () => {
    const world = createWorld();
    const receiver = createReceiver();
    world.targets.push(receiver);
    const sessionId = await seedSettled(world, { setInClient: true, ...day });
    await settleSession(world.start().deps, trusted, sessionId, { deviceCorrelationId: "a-device" });
    await runTimerAfter(world, { minutes: 5 });
    const devices = receiver.received.map(({ data }) => `${data.revision}: ${data.deviceCorrelationId}`);
    assert.deepEqual(devices, ["1: undefined", "2: a-device"]);
    assert.deepEqual(listedOutcomes(world), [["accepted", 2]]);
    await eraseDevice(world.start().deps, "a-device");
    assert.equal(/a-device|!session_/.test(JSON.stringify(world.everything())), false);
  });
});

describe("a further attempt after a decision, with a finding of abuse", () => {
  /** Settled and listed; then a flagged attempt, which the timer collects. */
  async function flagged(sessionHours: number) {
    const world = createWorld();
    world.targets.push(createReceiver(() => failing));
    const sessionId = await seedSettled(world, { ...day, uploads: true });
    await runTimerAfter(world, { minutes: 2 });
    const abuseMonitoringResult = { isAbuseDetected: true, otherFlaggedSessions: [] };
    play(world.service, sessionId, { ...realFace(), abuseMonitoringResult });
    world.advance({ hours: 24, minutes: 3 });
    const shortened = (process: Process): Process => ({
      ...process,
      deps: { ...process.deps, retention: { sessionHours, outcomeDays: 90 } },
    });
    return { world, shortened };
  }

  const fails: Hook = ({ name, when }) =>
    name === "images.delete" && when === "before" ? new ApiError(503, "StorageUnavailable", "no") : undefined;
  for (const [what, sessionHours, hook] of [
    ["storage of images fails in the same run", 24, fails],
    ["the run is killed after the record", 48, stopOn("sessions.transact")],
  ] as const) {
    test(`${what} -> the finding arrives and is listed`, async () => {
      const { world, shortened } = await flagged(sessionHours);
      const process = shortened(world.start(hook));
      const receiver = createReceiver();
      await process.attempt(() => runTimer(process));
      world.targets.splice(0, 1, receiver);
      world.advance({ hours: 24 });
      for (let run = 0; run < 4; run += 1) {
        world.advance({ hours: 1 });
        await runTimer(shortened(world.start()));
      }
      assert.deepEqual(world.record().reasons.includes("AbuseDetected"), true);
      assert.ok(receiver.received.some(({ data }) => data.revision === 2));
      assert.deepEqual(listedOutcomes(world), [["inconclusive", 2]]);
    });
  }
});

test("outcome that is not final, receiver that always fails -> eight retries for each event, over three days", async () => {
  const world = createWorld();
  world.targets.push(createReceiver(() => failing));
  await seedSettled(world, {}, failedAttempt());
  const attemptsAfter = async (hours: number) => {
    for (let minutes = 0; minutes < hours * 60; minutes += 5) await runTimerAfter(world, { minutes: 5 });
    return eventRowsOf(world).map((row) => row.attempts);
  };
  // The sixth retry follows after 32 hours: a second entry of the event would use up the others in the same time.
  assert.deepEqual(await attemptsAfter(38), [6, 6]);
  assert.deepEqual(await attemptsAfter(52), [8, 8]);
});

test("an event that cannot be read -> holds back neither the lists nor the other events", async () => {
  const world = createWorld();
  await seedSettled(world, { ...day, deviceCorrelationId: "unreadable" });
  const [row = assert.fail()] = eventRowsOf(world);
  world.storage.sessions.put({ ...row, type: "liveness.of.another.version" });
  await seedSettled(world, { ...day, deviceCorrelationId: "readable" });
  for (let run = 0; run < 3; run += 1) {
    world.advance({ minutes: 5 });
    await runTimer(world.start()).catch(() => undefined);
  }
  const { events, asOf = "" } = await readEventPage(world.start().deps, { top: 50 });
  assert.equal(events.length, 1);
  assert.ok(Date.parse(asOf) > world.now() - 10 * 60_000);
});
