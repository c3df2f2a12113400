import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { sessionResourceShape } from "../../src/functions/session-resource.ts";
import { clientKey, ownerOf, principal } from "../unit/fakes/principals.ts";
import { startProxy } from "./storage/storage-proxy.ts";
import {
  type AppRequest,
  assertError,
  createAppClient,
  creation,
  emulatorState,
  errorOf,
  playAttempt,
  sessionsPath,
  verifyCreation,
  verifySessionsPath,
} from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const pageShape = z.object({ value: z.array(sessionResourceShape), nextLink: z.url().optional() });

describe("users", async () => {
  const { stack } = await openStack({ env: { ...clientKey.settings, ALLOW_DEVICE_SET_IN_CLIENT: "true" } });
  const clientOf = (headers: Record<string, string>) => createAppClient(stack.url, headers);
  type Client = ReturnType<typeof clientOf>;
  const service = clientOf(clientKey.headers);

  const open = (client: Client, userCorrelationId: string, device?: string) =>
    client.openSession(device, { userCorrelationId });
  const pathOf = (user: string) => `api/users/${encodeURIComponent(user)}`;
  const erase = (user: string, client = service) => client.send(pathOf(user), { method: "DELETE" });
  async function outcomes(client: Client, user: string, query = "") {
    const answer = await client.send(`${pathOf(user)}/outcomes${query}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return pageShape.parse(answer.body);
  }
  const idsOf = ({ value }: z.infer<typeof pageShape>) => value.map(({ sessionId }) => sessionId);
  const liveIds = async () => (await emulatorState(stack)).sessions.map(({ sessionId }) => sessionId);

  test("sessions of both stable dialects and several devices -> listed newest first, page by page", async () => {
    const user = randomUUID();
    const ids = [(await open(service, user)).sessionId];
    const newer = await service.send(
      sessionsPath.replace("v1.2", "v1.3-preview.1"),
      creation(undefined, { userCorrelationId: user }),
    );
    ids.unshift(z.object({ sessionId: z.string() }).parse(newer.body).sessionId);
    ids.unshift((await service.openVerify(undefined, { userCorrelationId: user })).sessionId);
    await open(service, randomUUID());
    assert.deepEqual(idsOf(await outcomes(service, user)), ids);

    const seen: string[] = [];
    let next: string | undefined = "?top=1";
    for (let pages = 0; next !== undefined; pages += 1) {
      assert.ok(pages < ids.length);
      const page: z.infer<typeof pageShape> = await outcomes(service, user, next);
      seen.push(...idsOf(page));
      next = page.nextLink && new URL(page.nextLink).search;
    }
    assert.deepEqual(seen, ids);
  });

  test("a session's resource has the user, before and after its result", async () => {
    const user = randomUUID();
    const session = await open(service, user);
    assert.equal((await service.session(session.sessionId)).userCorrelationId, user);
    await playAttempt(stack.emulator, session, { scenario: "realface" });
    assert.equal((await service.settle(session.sessionId)).userCorrelationId, user);
    const { value } = await outcomes(service, user);
    assert.deepEqual([value[0]?.userCorrelationId, value[0]?.decision], [user, "accepted"]);
    assert.equal("userCorrelationId" in (await service.session((await service.openSession()).sessionId)), false);
  });

  test("a signed-in user -> own sessions only; without any 404, as for an unknown id; erasing is for services", async () => {
    const user = randomUUID();
    const [alice, bob, carol] = ["alice", "bob", "carol"].map((id) => clientOf(principal(id)));
    assert.ok(alice && bob && carol);
    const own = await open(alice, user);
    const bobs = await open(bob, user);
    const services = await open(service, user);
    assert.deepEqual(idsOf(await outcomes(alice, user)), [own.sessionId]);
    assert.deepEqual(idsOf(await outcomes(bob, user)), [bobs.sessionId]);
    const hidden = await carol.send(`${pathOf(user)}/outcomes`);
    assertError(hidden, 404, "ResourceNotFound");
    assert.deepEqual(errorOf(await carol.send(`${pathOf(randomUUID())}/outcomes`)), errorOf(hidden));
    const { value } = await outcomes(service, user);
    assert.deepEqual(
      value.map(({ sessionId, owner }) => [sessionId, owner]),
      [
        [services.sessionId, undefined],
        [bobs.sessionId, ownerOf("bob")],
        [own.sessionId, ownerOf("alice")],
      ],
    );
    assert.equal((await erase(user, alice)).status, 404);
    assert.equal((await outcomes(service, user)).value.length, 3);
    assert.equal((await clientOf({}).send(`${pathOf(user)}/outcomes`)).status, 401);
  });

  for (const id of ["a/b", ".", "..", "a b+c", "ä👤\u2028", "o'hara", "#?&%2F\\", "\u0001", "-", "!2f"]) {
    test(`${JSON.stringify(id)} in the query -> sessions of that user or device, and their erasure`, async () => {
      const { sessionId } = await open(service, id, id);
      const query = `?userCorrelationId=${encodeURIComponent(id)}`;
      for (const path of [`users/-/outcomes${query}`, `devices/-/outcomes${query.replace("user", "device")}`]) {
        const listed = pageShape.parse((await service.send(`api/${path}`)).body);
        assert.deepEqual(idsOf(listed), [sessionId]);
      }
      const erased = await service.send(`api/users/-${query}`, { method: "DELETE" });
      assert.deepEqual([erased.status, erased.body], [200, { sessions: 1 }]);
      assert.equal((await liveIds()).includes(sessionId), false);
    });
  }

  test("the link to the next page has the id of the query", async () => {
    const user = `a/${randomUUID()}`;
    const ids = [await open(service, user), await open(service, user)].map(({ sessionId }) => sessionId);
    const query = `?top=1&userCorrelationId=${encodeURIComponent(user)}`;
    const first = pageShape.parse((await service.send(`api/users/-/outcomes${query}`)).body);
    const { pathname, search } = new URL(first.nextLink ?? "");
    const second = pageShape.parse((await service.send(`${pathname.slice(1)}${search}`)).body);
    assert.deepEqual([...idsOf(second), ...idsOf(first), second.nextLink], [...ids, undefined]);
  });

  test("an id that is no well-formed Unicode, is empty or too long -> 400", async () => {
    const illFormed = JSON.stringify({ livenessOperationMode: "Passive", deviceCorrelationId: randomUUID() });
    const body = illFormed.replace("}", ',"userCorrelationId":"\\ud800"}');
    const headers = { "content-type": "application/json" };
    assertError(await service.send(sessionsPath, { method: "POST", headers, body }), 400, "InvalidRequestBody");
    for (const query of ["?userCorrelationId=", `?userCorrelationId=${"x".repeat(65)}`]) {
      assertError(await service.send(`api/users/-/outcomes${query}`), 400, "BadArgument");
      assertError(await service.send(`api/users/-${query}`, { method: "DELETE" }), 400, "BadArgument");
    }
    assertError(await service.send(`${pathOf("x".repeat(65))}/outcomes`), 400, "BadArgument");
  });

  test("a continuation token of another user or of a device with the same id -> 400", async () => {
    const user = randomUUID();
    for (let count = 0; count < 2; count += 1) await open(service, user, user);
    const { nextLink = "" } = await outcomes(service, user, "?top=1");
    const { search } = new URL(nextLink);
    assertError(await service.send(`${pathOf(randomUUID())}/outcomes${search}`), 400, "BadArgument");
    assertError(await service.send(`api/devices/${user}/outcomes${search}`), 400, "BadArgument");
    const ofDevice = new URL((await service.outcomes(user, "?top=1")).nextLink ?? "").search;
    assertError(await service.send(`${pathOf(user)}/outcomes${ofDevice}`), 400, "BadArgument");
  });

  test("a creation that names a user makes one more request to storage than one that does not", async (t: TestContext) => {
    const proxy = await startProxy(t, stack.azurite.connectionString);
    const { url } = await stack.startAnotherApp({ AzureWebJobsStorage: proxy.connectionString });
    const client = createAppClient(url, clientKey.headers);
    async function requestsOf(path: string, request: (device: string) => AppRequest): Promise<string[]> {
      proxy.take();
      assert.equal((await client.send(path, request(randomUUID()))).status, 200);
      return proxy.take();
    }
    const entry = { userCorrelationId: randomUUID() };
    // The first requests create the connections.
    await requestsOf(sessionsPath, (device) => creation(device, entry));
    const without = await requestsOf(sessionsPath, (device) => creation(device));
    const named = await requestsOf(sessionsPath, (device) => creation(device, entry));
    assert.deepEqual(named, [...without, "PUT /users"].toSorted());
    const uploading = await requestsOf(verifySessionsPath, (device) => verifyCreation(device));
    const namedUploading = await requestsOf(verifySessionsPath, (device) => verifyCreation(device, entry));
    // Names of images differ.
    assert.equal(namedUploading.length, uploading.length + 1);
    assert.deepEqual(
      namedUploading.filter((request) => request.endsWith("/users")),
      ["PUT /users"],
    );
  });
});
