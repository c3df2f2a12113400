import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Placed } from "../../../../src/liveness/model/references.ts";
import type { Users } from "../../../../src/liveness/model/users.ts";
import { writePlace } from "../../../../src/storage/rows/keys.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, startOfTime, type World } from "../../fakes/world.ts";
import { pagesOf } from "./pages.ts";

const user = "a-user";

/** The n-th creation, a second later than the one before. */
function creation(number: number, partition = "a-device"): Placed {
  const creationId = `c0ffee00-0000-4000-8000-${String(number).padStart(12, "0")}`;
  const createdOn = new Date(startOfTime + number * 1000).toISOString();
  return { creationId, createdOn, place: writePlace({ partition, idempotencyRowKey: `k_${creationId}` }) };
}

async function withEntries(count: number, owner?: string): Promise<{ world: World; users: Users }> {
  const world = createWorld();
  const { users } = world.start().deps;
  for (let number = 0; number < count; number += 1) await users.put(user, creation(number), owner);
  return { world, users };
}

const idsOf = ({ items }: Awaited<ReturnType<Users["page"]>>) => items.map(({ creationId }) => creationId);
const newestFirst = (count: number) =>
  Array.from({ length: count }, (_, index) => creation(count - 1 - index).creationId);

test("an entry contains the place and the time of its creation", async () => {
  const { users } = await withEntries(1);
  const [{ version: _, ...entry } = assert.fail()] = (await users.page(user, { top: 1 })).items;
  assert.deepEqual(entry, creation(0));
});

test("written twice, by a repeated request -> one entry", async () => {
  const { users } = await withEntries(1);
  await users.put(user, creation(0));
  assert.deepEqual(idsOf(await users.page(user, { top: 10 })), newestFirst(1));
});

describe("pages", () => {
  for (const [count, top, sizes] of [
    [0, 2, [0]],
    [2, 2, [2]],
    [5, 2, [2, 2, 1]],
    [101, 100, [100, 1]],
  ] as const) {
    test(`${count} entries, ${top} on a page -> pages of ${sizes}, newest first`, async () => {
      const { users } = await withEntries(count);
      const pages = await pagesOf((continuationToken) => users.page(user, { top, continuationToken }));
      const found = idsOf({ items: pages.flat() });
      assert.deepEqual([pages.map(({ length }) => length), found], [sizes, newestFirst(count)]);
    });
  }

  test("an entry that is written between two pages is not on the second, and none is repeated", async () => {
    const { users } = await withEntries(3);
    const { continuationToken } = await users.page(user, { top: 2 });
    await users.put(user, creation(3));
    assert.deepEqual(idsOf(await users.page(user, { top: 2, continuationToken })), [creation(0).creationId]);
  });

  test("entries of other owners are neither on the page of an owner nor counted for the next page", async () => {
    const { users } = await withEntries(2, "alice");
    await users.put(user, creation(2), "bob");
    await users.put(user, creation(3));
    const page = await users.page(user, { top: 2, owner: "alice" });
    assert.deepEqual([idsOf(page), page.continuationToken], [newestFirst(2), undefined]);
    assert.deepEqual(idsOf(await users.page(user, { top: 2, owner: "" })), []);
    assert.deepEqual(idsOf(await users.page(user, { top: 10 })), newestFirst(4));
  });

  test("a request for a page asks for one row more than it has", async () => {
    const { world } = await withEntries(5);
    const { deps, calls } = world.start();
    await deps.users.page(user, { top: 2 });
    assert.deepEqual(calls.names, ["users.query"]);
  });
});

describe("continuation token that was issued for another list", () => {
  const refused = { status: 400, code: "BadArgument" };

  test("of another user -> BadArgument", async () => {
    const { users } = await withEntries(2);
    const { continuationToken } = await users.page(user, { top: 1 });
    await assert.rejects(users.page("another-user", { top: 1, continuationToken }), refused);
  });

  test("of the device with the same id -> BadArgument, and the other way round", async () => {
    const world = createWorld();
    const { users, sessions } = world.start().deps;
    for (let number = 0; number < 2; number += 1) {
      await users.put(user, creation(number));
      await seedSession(world, { deviceCorrelationId: user });
    }
    const ofUser = await users.page(user, { top: 1 });
    const ofDevice = await sessions.ofDevice(user, 1);
    await assert.rejects(sessions.ofDevice(user, 1, ofUser.continuationToken), refused);
    await assert.rejects(users.page(user, { top: 1, continuationToken: ofDevice.continuationToken }), refused);
  });

  for (const continuationToken of ["", "a", "!", "é", "AAAA".repeat(1000)]) {
    test(`${JSON.stringify(continuationToken.slice(0, 8))} -> BadArgument`, async () => {
      const { users } = await withEntries(2);
      await assert.rejects(users.page(user, { top: 1, continuationToken }), refused);
    });
  }
});

describe("removing an entry", () => {
  test("changed since -> stays; with its version or without one -> removed once", async () => {
    const { users } = await withEntries(1);
    const versionOf = async () => (await users.page(user, { top: 1 })).items[0]?.version;
    const earlier = await versionOf();
    await users.put(user, creation(0, "the-device"));
    assert.equal(await users.remove(user, creation(0), earlier), false);
    const current = await versionOf();
    assert.equal(await users.remove(user, creation(0), current), true);
    assert.equal(await users.remove(user, creation(0), current), false);
    await users.put(user, creation(0));
    assert.equal(await users.remove(user, creation(0)), true);
    assert.equal(await users.remove(user, creation(0)), false);
  });

  test("leaves the entries of other creations and of other users", async () => {
    const { users, world } = await withEntries(2);
    await users.put("another-user", creation(0));
    await users.remove(user, creation(0));
    const left = world.storage.users.all().map(({ partitionKey }) => partitionKey);
    assert.deepEqual(left, [user, "another-user"]);
  });
});

test("ids with characters that keys cannot contain have partitions of their own", async () => {
  const { users } = await withEntries(0);
  const ids = ["a/b", "a!2fb", "a\\b", "#", "?", "-", ".", "..", "a'b", "\u0001", "\u2028", "👤", "A", "a", " "];
  for (const [number, id] of ids.entries()) await users.put(id, creation(number));
  for (const [number, id] of ids.entries()) {
    assert.deepEqual(idsOf(await users.page(id, { top: 10 })), [creation(number).creationId], id);
  }
});

test("an id that is not well-formed Unicode -> BadArgument", async () => {
  const { users } = await withEntries(0);
  await assert.rejects(users.page("\ud800", { top: 1 }), { status: 400, code: "BadArgument" });
});
