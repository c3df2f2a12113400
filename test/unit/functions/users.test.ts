import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { openSession } from "../../../src/liveness/open/open-session.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import type { Hook } from "../fakes/calls.ts";
import { clientKey, ownerOf, principal } from "../fakes/principals.ts";
import { command, createWorld, trusted, type World } from "../fakes/world.ts";

const service: Sent = { headers: clientKey.headers };
const asUser = (id: string, ...roles: string[]): Sent => ({ headers: principal(id, ...roles) });
const page = z.strictObject({ value: z.array(sessionResourceShape.strict()), nextLink: z.string().optional() });
const codeOf = (json: unknown) => z.object({ error: z.object({ code: z.string() }) }).parse(json).error.code;

const appOf = (world: World) => ({ app: createApp(world.start(), clientKey.settings) });
const list = (world: World, sent: Sent, query = "", user = "a-user") =>
  call(appOf(world), "GET", `/api/users/${user}/outcomes`, { ...sent, query });
const erase = (world: World, sent: Sent, query = "", user = "a-user") =>
  call(appOf(world), "DELETE", `/api/users/${user}`, { ...sent, query });

/** Opens a session that names a user. Default: by a service, for `a-user`. */
async function open(world: World, signedIn?: string, userCorrelationId = "a-user", hook?: Hook): Promise<string> {
  const caller = signedIn === undefined ? trusted : { trusted: false, owner: ownerOf(signedIn) };
  const outcome = await world
    .start(hook)
    .attempt((deps) => openSession(deps, command({ caller, request: { userCorrelationId } })));
  world.advance({ seconds: 1 });
  return "value" in outcome ? outcome.value.record.sessionId : "none";
}

const idsOf = (json: unknown) => page.parse(json).value.map(({ sessionId }) => sessionId);

describe("outcomes of a user", () => {
  test("a signed-in user -> its own sessions only, without the owner", async () => {
    const world = createWorld();
    const own = await open(world, "alice");
    await open(world, "bob");
    await open(world);
    const { json } = await list(world, asUser("alice"));
    assert.deepEqual(idsOf(json), [own]);
    assert.deepEqual(
      page.parse(json).value.map(({ userCorrelationId, owner }) => [userCorrelationId, owner]),
      [["a-user", undefined]],
    );
  });

  test("a signed-in user without own sessions -> 404, as for an unknown id", async () => {
    const world = createWorld();
    await open(world, "bob");
    await open(world);
    const [hidden, unknown] = [await list(world, asUser("alice")), await list(world, asUser("alice"), "", "no-user")];
    assert.deepEqual([hidden.status, codeOf(hidden.json)], [404, "ResourceNotFound"]);
    assert.deepEqual([hidden.status, hidden.json], [unknown.status, unknown.json]);
  });

  test("a signed-in user whose newest creation has crashed -> a page with the link to the older ones", async () => {
    const world = createWorld();
    const older = await open(world, "alice");
    await open(world, "alice", "a-user", ({ name, when }) =>
      name === "users.put" && when === "after" ? "stop" : undefined,
    );
    const first = await list(world, asUser("alice"), "?top=1");
    assert.equal(first.status, 200);
    const { value, nextLink } = page.parse(first.json);
    assert.deepEqual(value, []);
    const second = await list(world, asUser("alice"), new URL(nextLink ?? "").search);
    assert.deepEqual(idsOf(second.json), [older]);
  });

  test("services -> the sessions of all, with their owners; an unknown user has none", async () => {
    const world = createWorld();
    await open(world, "alice");
    await open(world);
    for (const sent of [service, asUser("carol", "Liveness.Service")]) {
      const { value } = page.parse((await list(world, sent)).json);
      assert.deepEqual(
        value.map(({ owner }) => owner),
        [undefined, ownerOf("alice")],
      );
      assert.deepEqual((await list(world, sent, "", "no-user")).json, { value: [] });
    }
  });

  test("a continuation token of another user's list, also of own sessions -> 400", async () => {
    const world = createWorld();
    for (const user of ["a-user", "another-user"]) {
      await open(world, "alice", user);
      await open(world, "alice", user);
    }
    const { nextLink } = page.parse((await list(world, asUser("alice"), "?top=1")).json);
    const refused = await list(world, asUser("alice"), new URL(nextLink ?? "").search, "another-user");
    assert.deepEqual([refused.status, codeOf(refused.json)], [400, "BadArgument"]);
  });

  test("a token of a service's page, used by a signed-in user -> own sessions only", async () => {
    const world = createWorld();
    const own = await open(world, "alice");
    await open(world, "bob");
    await open(world);
    const { nextLink } = page.parse((await list(world, service, "?top=1")).json);
    const { json } = await list(world, asUser("alice"), new URL(nextLink ?? "").search);
    assert.deepEqual(idsOf(json), [own]);
  });
});

describe("erasing a user", () => {
  test("a signed-in user -> 404, for the own id too, and nothing is erased", async () => {
    const world = createWorld();
    await open(world, "alice");
    const before = world.everything();
    for (const sent of [asUser("alice"), asUser("bob"), asUser("carol", "Liveness.Reviewer")]) {
      assert.equal((await erase(world, sent)).status, 404);
    }
    assert.equal((await erase(world, {})).status, 401);
    assert.deepEqual(world.everything(), before);
  });

  test("a service -> the sessions of all callers that named the user", async () => {
    const world = createWorld();
    await open(world, "alice");
    await open(world);
    const answer = await erase(world, service);
    assert.deepEqual([answer.status, answer.json], [200, { sessions: 2 }]);
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("user ids", () => {
  for (const id of ["a/b", ".", "..", "a b", "ä👤", "a'b", "#", "?&=", "%2F", "-", "x".repeat(64)]) {
    test(`${JSON.stringify(id)} in the query -> that user`, async () => {
      const world = createWorld();
      const sessionId = await open(world, undefined, id);
      await open(world);
      const query = `?userCorrelationId=${encodeURIComponent(id)}`;
      assert.deepEqual(idsOf((await list(world, service, query, "-")).json), [sessionId]);
      assert.deepEqual((await erase(world, service, query, "-")).json, { sessions: 1 });
      assert.equal(world.storage.users.all().length, 1);
    });
  }

  test("a path other than `-` -> the query's id is ignored", async () => {
    const world = createWorld();
    const sessionId = await open(world);
    const { json } = await list(world, service, "?userCorrelationId=another");
    assert.deepEqual(idsOf(json), [sessionId]);
  });

  for (const [what, query] of [
    ["empty", "?userCorrelationId="],
    ["65 characters", `?userCorrelationId=${"x".repeat(65)}`],
  ] as const) {
    test(`${what} -> 400`, async () => {
      for (const answer of [
        await list(createWorld(), service, query, "-"),
        await erase(createWorld(), service, query, "-"),
      ])
        assert.deepEqual([answer.status, codeOf(answer.json)], [400, "BadArgument"]);
    });
  }
});
