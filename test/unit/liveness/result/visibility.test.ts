import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { listUserSessions } from "../../../../src/liveness/result/visibility.ts";
import { purgeSession } from "../../../../src/liveness/retain/purge-session.ts";
import { stopOn } from "../../fakes/calls.ts";
import { command, createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

const user = "a-user";
const alice: Caller = { trusted: false, owner: "alice" };

/** Opens a session that names the user, for a device of its own, and lets a second pass. */
async function open(world: World, device: string, caller = trusted, process = world.start()): Promise<string> {
  const outcome = await process.attempt((deps) =>
    openSession(deps, command({ caller, request: { userCorrelationId: user, deviceCorrelationId: device } })),
  );
  world.advance({ seconds: 1 });
  return "value" in outcome ? outcome.value.record.sessionId : "none";
}

async function pageOf(deps: Process["deps"], caller: Caller, query: { top: number; continuationToken?: string }) {
  return (await listUserSessions(deps, caller, user, query)) ?? assert.fail("the user is unknown");
}

async function list(world: World, caller = trusted, query: { top?: number; continuationToken?: string } = {}) {
  const { items, ...rest } = await pageOf(world.start().deps, caller, { top: 50, ...query });
  return { ids: items.map(({ sessionId }) => sessionId), ...rest };
}

describe("listUserSessions", () => {
  test("entries without a session -> left out, and the page has the link to the next one", async () => {
    const world = createWorld();
    const older = await open(world, "one", alice);
    const crashing = world.start(stopOn("users.put"));
    await open(world, "two", alice, crashing);
    const { ids, continuationToken } = await list(world, alice, { top: 1 });
    assert.deepEqual(ids, []);
    assert.ok(continuationToken);
    assert.deepEqual(await list(world, alice, { top: 1, continuationToken }), { ids: [older] });
    const [anonymous, service] = [{ trusted: false }, { trusted: true, owner: "alice" }];
    assert.equal(await listUserSessions(world.start().deps, anonymous, user, { top: 50 }), undefined);
    assert.deepEqual(await list(world, service), { ids: [older] });
  });

  test("a session that is purged between the reads of its entry and its record -> left out", async () => {
    const world = createWorld();
    const kept = await open(world, "one");
    const purged = await open(world, "two");
    const { deps } = world.start();
    const stored = (await deps.sessions.find(purged)) ?? assert.fail();
    const { deps: reading } = world.start(({ name, when }) =>
      name === "users.query" && when === "after" ? purgeSession(deps, stored).then(() => undefined) : undefined,
    );
    const { items } = await pageOf(reading, trusted, { top: 50 });
    assert.deepEqual([items.length, items[0]?.sessionId], [1, kept]);
  });

  test("100 sessions -> one query, and one read of each record, at most 16 at a time", async () => {
    const world = createWorld();
    for (let number = 0; number < 100; number += 1) await open(world, `device-${number}`);
    let current = 0;
    let most = 0;
    const process: Process = world.start(async ({ name, when }) => {
      if (name !== "sessions.get") return undefined;
      current += when === "before" ? 1 : -1;
      most = Math.max(most, current);
      await Promise.resolve();
      return undefined;
    });
    const { items } = await pageOf(process.deps, trusted, { top: 100 });
    assert.equal(items.length, 100);
    assert.deepEqual([process.calls.names.length, most], [101, 16]);
  });

  test("a record cannot be read -> rejects, so that no session is missing without notice", async () => {
    const world = createWorld();
    await open(world, "one");
    const { deps } = world.start(({ name }) => (name === "sessions.get" ? new Error("no storage") : undefined));
    await assert.rejects(pageOf(deps, trusted, { top: 50 }), /no storage/);
  });
});

describe("requests to storage of a creation", () => {
  async function callsOf(request: object): Promise<readonly string[]> {
    const { deps, calls } = createWorld().start();
    await openSession(deps, command({ request }));
    return calls.names;
  }

  test("names a user -> one more than without: the entry; a derived user id -> none", async () => {
    const without = await callsOf({});
    const added = (await callsOf({ userCorrelationId: user })).toSorted();
    assert.deepEqual(added, [...without, "users.put"].toSorted());
    const { deps, calls } = createWorld().start();
    await openSession({ ...deps, face: { ...deps.face, version: "v1.3-preview.1" } }, command());
    assert.deepEqual(calls.names.toSorted(), without.toSorted());
  });

  test("the entry is written while the service is called", async () => {
    const entry = Promise.withResolvers<undefined>();
    const { deps } = createWorld().start(({ name, when }) => {
      if (name === "users.put" && when === "after") entry.resolve(undefined);
      // A creation that wrote the entry after the service's answer would never end.
      return name === "face.create" && when === "before" ? entry.promise : undefined;
    });
    const { record } = await openSession(deps, command({ request: { userCorrelationId: user } }));
    assert.equal(record.userCorrelationId, user);
  });
});
