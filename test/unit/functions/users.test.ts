import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { openSession } from "../../../src/liveness/open/open-session.ts";
import { type Sent, send, service, user } from "../fakes/app.ts";
import { ownerOf } from "../fakes/principals.ts";
import { assertNothingStored, command, createWorld, trusted, type World } from "../fakes/world.ts";

const page = z.strictObject({ value: z.array(sessionResourceShape.strict()), nextLink: z.string().optional() });

const list = (world: World, sent: Sent, query = "", id = "a-user") =>
  send(world, "GET", `/api/users/${id}/outcomes`, { ...sent, query });
const erase = (world: World, sent: Sent, query = "", id = "a-user") =>
  send(world, "DELETE", `/api/users/${id}`, { ...sent, query });

/** Opens a session that names a user. Default: by a service, for `a-user`. */
async function open(world: World, signedIn?: string, userCorrelationId = "a-user"): Promise<string> {
  const caller = signedIn === undefined ? trusted : { trusted: false, owner: ownerOf(signedIn) };
  const { record } = await openSession(world.start().deps, command({ caller, request: { userCorrelationId } }));
  world.advance({ seconds: 1 });
  return record.sessionId;
}

const idsOf = (json: unknown) => page.parse(json).value.map(({ sessionId }) => sessionId);

describe("outcomes of a user", () => {
  test("a signed-in user -> its own sessions only, without the owner", async () => {
    const world = createWorld();
    const own = await open(world, "alice");
    await open(world, "bob");
    await open(world);
    const { json } = await list(world, user("alice"));
    assert.deepEqual(idsOf(json), [own]);
    const [{ userCorrelationId, owner } = {}] = page.parse(json).value;
    assert.deepEqual([userCorrelationId, owner], ["a-user", undefined]);
  });

  test("a signed-in user without own sessions -> 404, as for an unknown id", async () => {
    const world = createWorld();
    await open(world, "bob");
    await open(world);
    const [hidden, unknown] = [await list(world, user("alice")), await list(world, user("alice"), "", "no-user")];
    assert.deepEqual([hidden.status, hidden.code], [404, "ResourceNotFound"]);
    assert.deepEqual([hidden.status, hidden.json], [unknown.status, unknown.json]);
  });

  test("services -> the sessions of all, with their owners; an unknown user has none", async () => {
    const world = createWorld();
    await open(world, "alice");
    await open(world);
    for (const sent of [service, user("carol", "Liveness.Service")]) {
      const { value } = page.parse((await list(world, sent)).json);
      const owners = value.map(({ owner }) => owner);
      assert.deepEqual(owners, [undefined, ownerOf("alice")]);
      assert.deepEqual((await list(world, sent, "", "no-user")).json, { value: [] });
    }
  });

  test("a token of a service's page, used by a signed-in user -> own sessions only", async () => {
    const world = createWorld();
    const own = await open(world, "alice");
    await open(world, "bob");
    await open(world);
    const { nextLink } = page.parse((await list(world, service, "?top=1")).json);
    const { json } = await list(world, user("alice"), new URL(nextLink ?? "").search);
    assert.deepEqual(idsOf(json), [own]);
  });
});

describe("erasing a user", () => {
  test("a signed-in user -> 404, for the own id too, and nothing is erased", async () => {
    const world = createWorld();
    await open(world, "alice");
    const before = world.everything();
    for (const sent of [user("alice"), user("bob"), user("carol", "Liveness.Reviewer")]) {
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
    assertNothingStored(world);
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
      for (const request of [list, erase]) {
        const answer = await request(createWorld(), service, query, "-");
        assert.deepEqual([answer.status, answer.code], [400, "BadArgument"]);
      }
    });
  }
});
