import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { openSession } from "../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { plus, type Sent, send, service, user } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { ownerOf } from "../fakes/principals.ts";
import { assertNothingStored, command, createWorld, trusted, type World } from "../fakes/world.ts";

const page = z.strictObject({ value: z.array(sessionResourceShape.strict()), nextLink: z.string().optional() });
const alice = user("alice");
const services = [service, user("carol", "Liveness.Service")];

/** The sessions of a device, and those of a user on several devices: one list by each of the two ids. */
for (const [what, path, field, invalid, erased] of [
  ["device", "/api/devices", "deviceCorrelationId", "InvalidDeviceCorrelationId", { referenceImages: 0 }],
  ["user", "/api/users", "userCorrelationId", "BadArgument", {}],
] as const) {
  const list = (world: World, query = "", sent: Sent = service, id = "an-id") =>
    send(world, "GET", `${path}/${id}/outcomes`, { ...sent, query });
  const erase = (world: World, sent: Sent = service, id = "an-id") => send(world, "DELETE", `${path}/${id}`, sent);
  const idsOf = (json: unknown) => page.parse(json).value.map(({ sessionId }) => sessionId);

  /** Opens sessions a minute apart, by a service or by the user of this name. */
  async function opened(callers: readonly string[], id = "an-id", world = createWorld()) {
    const ids: string[] = [];
    for (const [number, name] of callers.entries()) {
      const caller = name === "service" ? trusted : { trusted: false, owner: ownerOf(name) };
      const request = { deviceCorrelationId: `device-${number % 2}`, [field]: id };
      ids.push((await openSession(world.start().deps, command({ caller, request }))).record.sessionId);
      world.advance({ minutes: 1 });
    }
    return { world, ids };
  }

  /** The sessions that a caller can see, read page by page, and the number of pages. */
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

  describe(`the outcomes of a ${what}`, () => {
    test("are its sessions, also undecided ones, newest first, and each page links to the next", async () => {
      const { world, ids } = await opened(Array(5).fill("service"));
      play(world.service, ids[0] ?? "", realFace());
      await settleSession(world.start().deps, trusted, ids[0] ?? "", {});
      for (const [index, pages] of [5, 3, 2, 2, 1, 1].entries()) {
        assert.deepEqual(await readAll(world, index + 1), { seen: ids.toReversed(), pages }, `top=${index + 1}`);
      }
      const link = new URL(page.parse((await list(world, "?top=2")).json).nextLink ?? "");
      assert.deepEqual([link.pathname, link.searchParams.get("top")], [`${path}/an-id/outcomes`, "2"]);
    });

    test("are 50 a page by default, and at most 100; invalid continuation token -> BadArgument", async () => {
      const { world } = await opened(Array(51).fill("service"));
      assert.equal(idsOf((await list(world)).json).length, 50);
      const tops = ["0", "101", "-1", "1.5", "many", "", "1000"].map((top) => `?top=${top}`);
      const tokens = ["x", "a".repeat(5000), "%00"].map((token) => `?continuationToken=${token}`);
      for (const query of [...tops, ...tokens]) {
        const answer = await list(world, query);
        assert.deepEqual([answer.status, answer.code], [400, "BadArgument"], query);
      }
    });

    test("are, for a signed-in user, the user's own without the owner, also behind others' with any page size", async () => {
      const { world, ids } = await opened(["alice", "bob", "alice", "service", "bob", "bob"]);
      for (const top of [1, 2, 3, 100]) {
        assert.deepEqual((await readAll(world, top, alice)).seen, [ids[2], ids[0]], `top=${top}`);
      }
      const { value } = page.parse((await list(world, "", alice)).json);
      assert.deepEqual([value[0]?.[field], value[0]?.owner], ["an-id", undefined]);
      const { nextLink = "" } = page.parse((await list(world, "?top=1")).json);
      const { search } = new URL(nextLink);
      assert.deepEqual(idsOf((await list(world, search, alice)).json), [ids[2]], "with a token of a service's page");
    });

    test("are answered with 404 to a user without own sessions, as for an unknown id", async () => {
      const { world } = await opened(["service", "bob", "service"]);
      const unknown = await list(createWorld(), "", alice);
      assert.equal(unknown.code, "ResourceNotFound");
      for (const query of ["", "?top=1"]) {
        const answer = await list(world, query, alice);
        assert.deepEqual([answer.status, answer.json], [404, unknown.json], query);
      }
    });

    test("are, for services, the sessions of all with their owners; none for an unknown id", async () => {
      const { world } = await opened(["alice", "service", "mallory"]);
      for (const sent of services) {
        const owners = page.parse((await list(world, "", sent)).json).value.map(({ owner }) => owner);
        assert.deepEqual(owners, [ownerOf("mallory"), undefined, ownerOf("alice")]);
        assert.deepEqual((await list(world, "", sent, "unknown")).json, { value: [] });
      }
    });
  });

  test(`the id of a ${what} has 1 to 64 characters, and is read from the query if the path has - and there is one`, async () => {
    for (const id of ["a/../b", "ä👤'#?&=%2F", "x".repeat(64)]) {
      const { world, ids } = await opened(["service"], id);
      await opened(["service"], "-", world);
      const query = `?${field}=${encodeURIComponent(id)}`;
      assert.deepEqual(idsOf((await list(world, query, service, "-")).json), ids);
      assert.deepEqual((await erase(world, plus(service, { query }), "-")).json, { sessions: 1, ...erased });
      assert.deepEqual(idsOf((await list(world, query, service, "-")).json), []);
      assert.equal(idsOf((await list(world, "", service, "-")).json).length, 1);
    }
    const { world, ids } = await opened(["service"]);
    assert.deepEqual(idsOf((await list(world, `?${field}=another`)).json), ids);
    for (const [id, query] of [
      ["d".repeat(65), ""],
      ["-", `?${field}=`],
      ["-", `?${field}=${"x".repeat(65)}`],
    ] as const) {
      for (const answer of [await list(world, query, service, id), await erase(world, { ...service, query }, id)]) {
        assert.deepEqual([answer.status, answer.code], [400, invalid]);
      }
    }
  });

  test(`erasing a ${what} -> for services only: the sessions of all callers`, async () => {
    const { world } = await opened(["alice", "service"]);
    const before = world.everything();
    for (const id of ["an-id", ...(what === "device" ? ["an-id/lockout"] : [])]) {
      for (const sent of [alice, user("bob"), user("carol", "Liveness.Reviewer")]) {
        const answer = await erase(world, sent, id);
        assert.deepEqual([answer.status, answer.code], [404, "ResourceNotFound"]);
      }
      assert.equal((await erase(world, {}, id)).status, 401);
    }
    assert.deepEqual(world.everything(), before);
    const answer = await erase(world);
    assert.deepEqual([answer.status, answer.json], [200, { sessions: 2, ...erased }]);
    assertNothingStored(world);
  });
}
