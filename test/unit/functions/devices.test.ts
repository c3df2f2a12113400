import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { clientKey, ownerOf, principal } from "../fakes/principals.ts";
import { type Seed, seedSession } from "../fakes/seed.ts";
import { createWorld, type World } from "../fakes/world.ts";

const service = { headers: clientKey.headers };
const ownerOfAlice = ownerOf("alice");
const page = z.strictObject({ value: z.array(sessionResourceShape.strict()), nextLink: z.string().optional() });
const codeOf = (json: unknown) => z.object({ error: z.object({ code: z.string() }) }).parse(json).error.code;

const appOf = (world: World) => ({ app: createApp(world.start(), clientKey.settings) });
const list = (world: World, query = "", sent: Sent = service, device = "a-device") =>
  call(appOf(world), "GET", `/api/devices/${device}/outcomes`, { ...sent, query });

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
    const answer = await list(world, query, sent);
    assert.equal(answer.status, 200);
    const { value, nextLink }: z.infer<typeof page> = page.parse(answer.json);
    seen.push(...value.map(({ sessionId }) => sessionId));
    query = nextLink === undefined ? undefined : new URL(nextLink).search;
  }
  return { seen, pages };
}

describe("the outcomes of a device", () => {
  test("are its sessions, also undecided ones, newest first", async () => {
    const decided: Seed = { attempts: 1, final: true, decision: "accepted", reasons: ["RealFace"] };
    const { world, ids } = await seeded(decided, {}, { kind: "livenessWithVerify" });
    const { value, nextLink } = page.parse((await list(world)).json);
    assert.deepEqual([value.map(({ sessionId }) => sessionId), nextLink], [ids.toReversed(), undefined]);
    assert.deepEqual(
      value.map(({ decision }) => decision),
      [undefined, undefined, "accepted"],
    );
  });

  test("are paged; each page links to the next", async () => {
    const { world, ids } = await seeded({}, {}, {}, {}, {});
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

  test("are empty for an unknown device", async () => {
    assert.deepEqual((await list(createWorld())).json, { value: [] });
  });

  test("are 50 a page by default, and at most 100", async () => {
    const { world } = await seeded(...Array.from({ length: 51 }, () => ({})));
    assert.equal(page.parse((await list(world)).json).value.length, 50);
    for (const top of ["0", "101", "-1", "1.5", "many", "", "1000"]) {
      const answer = await list(world, `?top=${top}`);
      assert.deepEqual([answer.status, codeOf(answer.json)], [400, "BadArgument"], top);
    }
  });

  test("invalid continuation token -> BadArgument", async () => {
    const { world } = await seeded({});
    for (const token of ["x", "a".repeat(5000), "%00"]) {
      const answer = await list(world, `?continuationToken=${token}`);
      assert.deepEqual([answer.status, codeOf(answer.json)], [400, "BadArgument"]);
    }
  });
});

describe("the outcomes of a device, for a user,", () => {
  const alice = { headers: principal("alice") };
  const mine = { owner: ownerOfAlice };

  test("are those of the user's own sessions", async () => {
    const { world, ids } = await seeded(mine, {}, mine, { owner: "bob" });
    assert.deepEqual((await readAll(world, 100, alice)).seen, [ids[2], ids[0]]);
    assert.equal((await readAll(world, 100)).seen.length, 4);
  });

  test("are found behind other users' sessions, with any page size", async () => {
    const others = { owner: "bob" };
    const { world, ids } = await seeded(mine, others, mine, others, others, others);
    for (const top of [1, 2, 3, 100]) {
      assert.deepEqual((await readAll(world, top, alice)).seen, [ids[2], ids[0]], `top=${top}`);
    }
  });

  test("404 without own sessions, as for an unknown device", async () => {
    const { world } = await seeded({}, { owner: "bob" }, {});
    const unknown = await list(createWorld(), "", alice);
    for (const query of ["", "?top=1"]) {
      const answer = await list(world, query, alice);
      assert.deepEqual([answer.status, answer.json], [404, unknown.json], query);
    }
  });
});

describe("a device's id", () => {
  test("is read from the query if the path has -", async () => {
    const { world, ids } = await seeded({ deviceCorrelationId: "a/../b" }, { deviceCorrelationId: "-" });
    const read = async (query: string) => page.parse((await list(world, query, service, "-")).json).value;
    assert.deepEqual(
      (await read("?deviceCorrelationId=a%2F..%2Fb")).map(({ sessionId }) => sessionId),
      [ids[0]],
    );
    assert.deepEqual(
      (await read("")).map(({ sessionId }) => sessionId),
      [ids[1]],
    );
  });

  test("has 1 to 64 characters", async () => {
    const world = createWorld();
    assert.equal((await list(world, "", service, "d".repeat(64))).status, 200);
    for (const [device, query] of [
      ["d".repeat(65), ""],
      ["-", "?deviceCorrelationId="],
    ] as const) {
      const answer = await list(world, query, service, device);
      assert.deepEqual([answer.status, codeOf(answer.json)], [400, "InvalidDeviceCorrelationId"]);
    }
  });
});

describe("routes for trusted services only", () => {
  test("answer 404 to users and change nothing", async () => {
    const { world } = await seeded({ owner: ownerOfAlice });
    const before = world.everything();
    for (const path of ["/api/devices/a-device", "/api/devices/a-device/lockout"]) {
      const answer = await call(appOf(world), "DELETE", path, { headers: principal("alice") });
      assert.deepEqual([answer.status, codeOf(answer.json)], [404, "ResourceNotFound"]);
    }
    assert.deepEqual(world.everything(), before);
  });
});
