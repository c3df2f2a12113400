import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { type Sent, send, service, user } from "../fakes/app.ts";
import { ownerOf } from "../fakes/principals.ts";
import { type Seed, seedSession, seedWorld } from "../fakes/seed.ts";
import { createWorld, type World } from "../fakes/world.ts";

const alice = user("alice");
const mine = { owner: ownerOf("alice") };
const others = { owner: "bob" };
const page = z.strictObject({ value: z.array(sessionResourceShape.strict()), nextLink: z.string().optional() });

const list = (world: World, query = "", sent: Sent = service, device = "a-device") =>
  send(world, "GET", `/api/devices/${device}/outcomes`, { ...sent, query });

/** Sessions of one device, a minute apart, the last one the newest. */
async function seeded(...seeds: Seed[]): Promise<{ world: World; ids: string[] }> {
  const world = createWorld();
  const ids: string[] = [];
  for (const seed of seeds) {
    ids.push((await seedSession(world, seed)).record.sessionId);
    world.advance({ minutes: 1 });
  }
  return { world, ids };
}

/** The device's sessions that a caller can see, read page by page, and the number of pages. */
async function readAll(world: World, top: number, sent: Sent = service) {
  const seen: string[] = [];
  let pages = 0;
  for (let query: string | undefined = `?top=${top}`; query !== undefined; pages += 1) {
    const { value, nextLink }: z.infer<typeof page> = page.parse((await list(world, query, sent)).json);
    seen.push(...value.map(({ sessionId }) => sessionId));
    query = nextLink === undefined ? undefined : new URL(nextLink).search;
  }
  return { seen, pages };
}

describe("the outcomes of a device", () => {
  test("are its sessions, also undecided ones, newest first, and each page links to the next", async () => {
    const decided: Seed = { attempts: 1, final: true, decision: "accepted", reasons: ["RealFace"] };
    const { world, ids } = await seeded(decided, {}, { kind: "livenessWithVerify" }, {}, {});
    for (const [top, pages] of [
      [1, 5],
      [2, 3],
      [4, 2],
      [5, 1],
      [100, 1],
    ] as const) {
      assert.deepEqual(await readAll(world, top), { seen: ids.toReversed(), pages }, `top=${top}`);
    }
    const link = new URL(page.parse((await list(world, "?top=2")).json).nextLink ?? "");
    assert.deepEqual([link.pathname, link.searchParams.get("top")], ["/api/devices/a-device/outcomes", "2"]);
  });

  test("are 50 a page by default, and at most 100; invalid continuation token -> BadArgument", async () => {
    const { world } = await seeded(...Array.from({ length: 51 }, () => ({})));
    assert.equal(page.parse((await list(world)).json).value.length, 50);
    const tops = ["0", "101", "-1", "1.5", "many", "", "1000"].map((top) => `?top=${top}`);
    const tokens = ["x", "a".repeat(5000), "%00"].map((token) => `?continuationToken=${token}`);
    for (const query of [...tops, ...tokens]) {
      const answer = await list(world, query);
      assert.deepEqual([answer.status, answer.code], [400, "BadArgument"], query);
    }
  });

  test("are, for a user, the user's own, also behind other users' sessions with any page size", async () => {
    const { world, ids } = await seeded(mine, others, mine, {}, others, others);
    for (const top of [1, 2, 3, 100]) {
      assert.deepEqual((await readAll(world, top, alice)).seen, [ids[2], ids[0]], `top=${top}`);
    }
    assert.equal((await readAll(world, 100)).seen.length, 6);
  });

  test("are answered with 404 to a user without own sessions, as for an unknown device", async () => {
    const { world } = await seeded({}, others, {});
    const unknown = await list(createWorld(), "", alice);
    for (const query of ["", "?top=1"]) {
      const answer = await list(world, query, alice);
      assert.deepEqual([answer.status, answer.json], [404, unknown.json], query);
    }
  });
});

test("a device's id has 1 to 64 characters, and is read from the query if the path has - and there is one", async () => {
  const { world, ids } = await seeded({ deviceCorrelationId: "a/../b" }, { deviceCorrelationId: "-" });
  for (const [query, id] of [
    ["?deviceCorrelationId=a%2F..%2Fb", ids[0]],
    ["", ids[1]],
  ] as const) {
    const [found, ...more] = page.parse((await list(world, query, service, "-")).json).value;
    assert.deepEqual([found?.sessionId, more], [id, []]);
  }
  assert.equal((await list(world, "", service, "d".repeat(64))).status, 200);
  for (const [device, query] of [
    ["d".repeat(65), ""],
    ["-", "?deviceCorrelationId="],
  ] as const) {
    const answer = await list(world, query, service, device);
    assert.deepEqual([answer.status, answer.code], [400, "InvalidDeviceCorrelationId"]);
  }
});

test("routes for trusted services only answer 404 to users and change nothing", async () => {
  const { world } = await seedWorld(mine);
  const before = world.everything();
  for (const path of ["/api/devices/a-device", "/api/devices/a-device/lockout"]) {
    const answer = await send(world, "DELETE", path, alice);
    assert.deepEqual([answer.status, answer.code], [404, "ResourceNotFound"]);
  }
  assert.deepEqual(world.everything(), before);
});
