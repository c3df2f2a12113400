import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessDenied } from "../../../../src/api-errors.ts";
import { ApiError } from "../../../../src/errors.ts";
import type { FaceService, SessionRef } from "../../../../src/face/client/face-service.ts";
import { faceCredentialsRejected, faceTimeout, faceUnreachable } from "../../../../src/face/errors.ts";
import { drain, drainShard, type MaintainDeps } from "../../../../src/liveness/retain/maintain.ts";
import { failOn, type Hook } from "../../fakes/calls.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type World } from "../../fakes/world.ts";

/** Unused sessions, each of its own device and created a minute after the one before; all are due. */
async function backlog(count: number): Promise<{ world: World; sessionIds: string[] }> {
  const world = createWorld();
  const sessionIds: string[] = [];
  for (let number = 0; number < count; number += 1) {
    sessionIds.push((await seedSession(world, { deviceCorrelationId: `device-${number}` })).record.sessionId);
    world.advance({ minutes: 1 });
  }
  world.advance({ minutes: 12 });
  return { world, sessionIds };
}

interface Options extends Partial<MaintainDeps> {
  /** Runs before each `get` of the Face service. */
  beforeGet?: (session: SessionRef) => unknown;
  /** Until the deadline. Default: 60. */
  seconds?: number;
}

/** One run of the timer. */
async function run(world: World, { beforeGet = () => undefined, seconds = 60, ...options }: Options = {}, hook?: Hook) {
  const { deps, maintenance: dependencies } = world.start(hook);
  const get: FaceService["get"] = async (session, callOptions) => {
    await beforeGet(session);
    return deps.face.get(session, callOptions);
  };
  const maintenance = dependencies({ face: { ...deps.face, get }, ...options });
  const summary = await drain(maintenance, world.now() + seconds * 1000);
  return { summary, failures: maintenance.failures };
}

const pause = () => new Promise(setImmediate);
const uncollected = ({ tables }: World) => tables.expiry.all().filter(({ value }) => value.phase === "collect");

describe("concurrency of a run", () => {
  for (const concurrency of [1, 4]) {
    test(`concurrency ${concurrency} -> at most ${concurrency} parallel calls to the service over all shards`, async () => {
      const { world } = await backlog(60);
      let [active, most] = [0, 0];
      const beforeGet = async () => {
        active += 1;
        most = Math.max(most, active);
        await pause();
        active -= 1;
      };
      const { summary } = await run(world, { concurrency, beforeGet });
      assert.deepEqual([summary.collected, most], [60, concurrency]);
    });
  }

  test("concurrency 5 -> holds at most 10 sessions in memory", async () => {
    const { world } = await backlog(80);
    let [held, most] = [0, 0];
    const { sessions } = world.start().deps;
    const load: typeof sessions.load = async (...place) => {
      held += 1;
      most = Math.max(most, held);
      await pause();
      return sessions.load(...place);
    };
    const update: typeof sessions.update = async (...written) => {
      const updated = await sessions.update(...written);
      held -= 1;
      return updated;
    };
    const { summary } = await run(world, { concurrency: 5, sessions: { ...sessions, load, update } });
    assert.deepEqual([summary.collected, most], [80, 10]);
  });
});

describe("order of a run", () => {
  test("sessions in several shards -> oldest first, displaced by at most two positions", async () => {
    const { world, sessionIds } = await backlog(64);
    const asked: string[] = [];
    await run(world, { concurrency: 1, beforeGet: ({ sessionId }) => asked.push(sessionId) });
    const displaced = asked.map((sessionId, position) => position - sessionIds.indexOf(sessionId));
    // The first two sessions are chosen before all shards have returned their rows.
    assert.ok(Math.max(...displaced.slice(2).map(Math.abs)) <= 2, `displaced by ${displaced}`);
  });

  test("deadline before the end of the backlog -> leaves the youngest, which stay due", async () => {
    const { world, sessionIds } = await backlog(60);
    const asked: string[] = [];
    const beforeGet = ({ sessionId }: SessionRef) => {
      asked.push(sessionId);
      world.advance({ seconds: 2 });
    };
    const { summary } = await run(world, { concurrency: 1, beforeGet });
    assert.equal(summary.due, 60);
    assert.equal(summary.collected + summary.left, 60);
    assert.ok(summary.left > 20 && summary.collected > 20, JSON.stringify(summary));
    const oldest = new Set(sessionIds.slice(0, asked.length + 10));
    assert.ok(asked.every((sessionId) => oldest.has(sessionId)));
    assert.equal(uncollected(world).length, summary.left);
  });

  test("deadline passed -> stops counting the rows that are left", async () => {
    const { world } = await backlog(60);
    const { summary } = await run(world, { beforeGet: () => world.advance({ minutes: 2 }) });
    assert.ok(summary.left < 59, JSON.stringify(summary));
  });

  test("summary -> contains the due time of the oldest row", async () => {
    const { world } = await backlog(3);
    const { summary } = await run(world);
    assert.equal(summary.oldestDueOn, "2026-03-01T12:12:00.000Z");
    assert.equal("oldestDueOn" in (await run(world)).summary, false);
  });
});

test("drainShard called without a run -> drains the shard with its own limits", async () => {
  const { world } = await backlog(40);
  const due = world.tables.expiry.all().filter(({ partition }) => partition.startsWith("7_"));
  const summary = await drainShard(world.start().maintenance(), 7, world.now() + 60_000);
  assert.ok(due.length > 0);
  assert.deepEqual([summary.due, summary.collected], [due.length, due.length]);
});

describe("call that the service refuses", () => {
  test("429 with Retry-After -> retried in the same run when the rate limiter allows it", async () => {
    const { world } = await backlog(10);
    let refusals = 0;
    const beforeGet = () => {
      refusals += 1;
      if (refusals % 3 === 1) throw new ApiError(429, "429", "Rate limit is exceeded.", { retryAfter: "1" });
    };
    const { summary, failures } = await run(world, { beforeGet });
    assert.deepEqual([summary.collected, summary.failed, summary.left, failures], [10, 0, 0, []]);
  });

  test("429 in every retry -> counted as left, not as failed", async () => {
    const { world } = await backlog(3);
    let calls = 0;
    const beforeGet = () => {
      calls += 1;
      throw new ApiError(429, "429", "Rate limit is exceeded.");
    };
    const { summary, failures } = await run(world, { beforeGet });
    assert.deepEqual([summary.left, summary.failed, failures], [3, 0, []]);
    assert.equal(calls, 15);
    assert.ok(world.tables.expiry.all().every(({ value }) => value.failures === undefined));
  });

  test("rate limiter delays the call past the deadline -> counted as left", async () => {
    const { world } = await backlog(5);
    const { summary } = await run(world, { faceCallsPerSecond: 1, seconds: 1 });
    assert.deepEqual([summary.collected, summary.left, summary.failed], [1, 4, 0]);
  });

  test("credentials or quota refused -> sessions keep their number of failures", async () => {
    const noToken = new ApiError(502, "FaceCredentialFailed", "The app could not get a token for the Face service.");
    const noQuota = new ApiError(403, "403", "Out of quota.");
    for (const refusal of [faceCredentialsRejected(accessDenied()), noToken, noQuota]) {
      const { world } = await backlog(2);
      const { summary } = await run(world, { beforeGet: () => Promise.reject(refusal) });
      assert.equal(summary.failed, 2);
      const rows = world.tables.expiry.all().map(({ value }) => value);
      assert.ok(rows.every(({ failures }) => failures === undefined));
    }
  });
});

describe("failures in a run", () => {
  for (const cause of [
    new ApiError(500, "InternalServerError", "An unexpected error occurred."),
    faceTimeout(),
    faceUnreachable(new Error("ECONNRESET")),
  ]) {
    test(`${cause.code} for one session -> the others are collected, and its row is due again after them`, async () => {
      const { world, sessionIds } = await backlog(12);
      const [broken] = sessionIds;
      const beforeGet = ({ sessionId }: SessionRef) => {
        if (sessionId === broken) throw cause;
      };
      const { summary, failures } = await run(world, { beforeGet });
      assert.deepEqual([summary.collected, summary.failed, failures.length], [11, 1, 1]);
      const left = uncollected(world)[0]?.value;
      assert.deepEqual([left?.failures, left?.dueOn], [1, new Date(world.now() + 5 * 60_000).toISOString()]);
      const { creationId } = left ?? {};
      assert.deepEqual(failures, [{ creationId, sessionId: broken, phase: "collect", failures: 1, cause }]);

      await seedSession(world, { deviceCorrelationId: "another" });
      world.advance({ minutes: 12 });
      assert.deepEqual((await run(world)).summary.collected, 2);
    });
  }

  test("unreadable shard -> the others are drained", async () => {
    const { world } = await backlog(40);
    const { schedule } = world.start().deps;
    const dueEntries: typeof schedule.dueEntries = async function* (shard, now) {
      if (shard === 3) throw new Error("unreadable");
      yield* schedule.dueEntries(shard, now);
    };
    const { summary, failures } = await run(world, { schedule: { ...schedule, dueEntries } });
    const left = uncollected(world);
    assert.ok(left.length > 0 && left.every(({ partition }) => partition.startsWith("3_")));
    assert.deepEqual([summary.failed, summary.collected], [1, 40 - left.length]);
    assert.deepEqual(failures, [{ shard: 3, cause: new Error("unreadable") }]);
  });

  test("unreadable row -> the rows after it are drained", async () => {
    const { world } = await backlog(20);
    const broken = { creationId: "broken", cause: new Error("no phase") };
    const { schedule } = world.start().deps;
    const dueEntries: typeof schedule.dueEntries = async function* (shard, now) {
      if (shard === 0) yield broken;
      yield* schedule.dueEntries(shard, now);
    };
    const { summary, failures } = await run(world, { schedule: { ...schedule, dueEntries } });
    assert.deepEqual([summary.due, summary.failed, summary.collected], [21, 1, 20]);
    assert.deepEqual(failures, [{ creationId: "broken", cause: broken.cause }]);
  });

  test("storage unavailable for every session -> the run ends, and sessions keep their number of failures", async () => {
    const { world } = await backlog(100);
    const outage = new ApiError(503, "StorageUnavailable", "Out of reach.");
    const { summary } = await run(world, {}, ({ name }) => (name === "sessions.get" ? outage : undefined));
    assert.ok(summary.failed >= 20 && summary.failed < 60, JSON.stringify(summary));
    assert.equal(summary.collected, 0);
    assert.equal((await run(world)).summary.collected, 100);
  });

  test("following expiry rows cannot be written -> one failure for each session", async () => {
    const { world } = await backlog(6);
    const { summary, failures } = await run(world, {}, failOn(["expiry.put", "expiry.transact"]));
    assert.deepEqual([summary.failed, summary.collected, failures.length], [6, 0, 6]);
    assert.equal((await run(world)).summary.collected, 6);
  });
});
