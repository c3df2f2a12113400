import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import * as z from "zod";
import { clientKey, ownerOf, principal } from "../unit/fakes/principals.ts";
import {
  assertError,
  createAppClient,
  creation,
  errorOf,
  sessionsPath,
  verifySessionsPath,
} from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

const resultShape = z.object({
  results: z.object({ attempts: z.array(z.object({ result: z.object({ sessionImageId: z.string() }) })) }),
});
const { stack, play, control } = await openStack({
  env: { ...clientKey.settings, OWNER_CREATION_LIMIT: "3", CREATION_LIMIT: "10" },
});
const storage = viewStorage(stack.azurite.connectionString);
const clientOf = (headers: Record<string, string>) => createAppClient(stack.url, headers);
const user = (id: string) => clientOf(principal(id));
const service = clientOf(clientKey.headers);

describe("creation limits", () => {
  test("200 concurrent creations on two processes: exactly the limit succeeds", async () => {
    const other = createAppClient((await stack.startAnotherApp()).url, clientKey.headers);
    const device = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        (index % 2 === 0 ? service : other).send(sessionsPath, creation(device)),
      ),
    );
    assert.equal(answers.filter(({ status }) => status === 200).length, 10);
    for (const answer of answers.filter(({ status }) => status !== 200 && status !== 503)) {
      assertError(answer, 429, "429");
      const { statusCode, message } = errorOf(answer);
      assert.equal(statusCode, 429);
      assert.match(message, /^Rate limit is exceeded\. Try again in \d+ seconds\./);
      assert.ok(Number(answer.headers.get("retry-after")) > 0);
    }
    assert.equal((await service.outcomes(device, "?top=100")).value.length, 10);
    await control("/clock", { advanceSeconds: 601 });
    await service.openSession(device);
  });

  test("a user has a limit over all its devices, a service role has none", async () => {
    const answers = await Promise.all(Array.from({ length: 9 }, () => user("alice").send(sessionsPath, creation())));
    assert.equal(answers.filter(({ status }) => status === 200).length, 3);
    for (const answer of answers.filter(({ status }) => status !== 200)) assertError(answer, 429, "429");
    const backend = clientOf(principal("backend", "Liveness.Service"));
    for (let count = 0; count < 4; count += 1) await backend.openSession();
    for (let count = 0; count < 3; count += 1) await user("bob").openSession();
    assertError(await user("bob").send(sessionsPath, creation()), 429, "429");
  });

  test("a creation that fails at the service with 5xx refunds its place", async () => {
    const withoutImage = creation(randomUUID(), { referenceImageId: "unknown" });
    for (let count = 0; count < 4; count += 1) {
      assertError(await user("carol").send(verifySessionsPath, withoutImage), 400, "ReferenceImageNotFound");
    }
    await control("/faults", { operation: "create", status: 503, times: 4 });
    for (let count = 0; count < 4; count += 1) {
      assert.equal((await user("carol").send(sessionsPath, creation("c"))).status, 503);
    }
    for (let count = 0; count < 3; count += 1) await user("carol").openSession();
  });

  test("a creation that the service refuses with 400 keeps its place", async () => {
    const device = randomUUID();
    await control("/faults", { operation: "create", status: 400, code: "InvalidImage", times: 3 });
    for (let count = 0; count < 3; count += 1) {
      assertError(await user("ines").send(sessionsPath, creation(device)), 400, "InvalidImage");
    }
    assertError(await user("ines").send(sessionsPath, creation(device)), 429, "429");
    const rows = (await storage.rows("sessions")).filter(({ partitionKey }) => partitionKey === device);
    const rowKeys = rows.map(({ rowKey }) => rowKey);
    assert.deepEqual(rowKeys, [`g_${ownerOf("ines")}`], "no key row is left");
  });
});

describe("sessions of a signed-in user", () => {
  test("an attempt's image is readable by its owner and by services only", async () => {
    const session = await user("dora").openSession(randomUUID(), { enableSessionImage: true });
    await play(session, { scenario: "realface" });
    const result = await user("dora").send(`${sessionsPath}/${session.sessionId}`);
    const { sessionImageId } = resultShape.parse(result.body).results.attempts[0]?.result ?? assert.fail();
    const path = `face/v1.2/sessionImages/${sessionImageId}`;
    const answers = [user("dora"), service, user("eve")].map((caller) => caller.send(path));
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    assert.deepEqual(statuses, [200, 200, 404]);
  });

  test("erasing the last session of a user leaves no trace of the user", async () => {
    const device = randomUUID();
    await user("gus").openSession(device);
    assert.ok((await storage.everything()).includes(ownerOf("gus")));
    await service.send(`api/devices/${device}`, { method: "DELETE" });
    assert.equal((await storage.everything()).includes(ownerOf("gus")), false);
  });
});

const limit = 2;

/** A signed-in user knows the id of another user's device and uses it. */
describe("a user who creates sessions for another user's device", async () => {
  const host = await stack.startAnotherApp({
    ALLOW_DEVICE_SET_IN_CLIENT: "true",
    CREATION_LIMIT: String(limit),
    OWNER_CREATION_LIMIT: "20",
    LOCKOUT_REJECTIONS: "2",
  });
  const clientOf = (headers: Record<string, string>) => createAppClient(host.url, headers);
  type Client = ReturnType<typeof clientOf>;
  const service = clientOf(clientKey.headers);

  const open = (client: Client, deviceCorrelationId: string) =>
    client.send(sessionsPath, creation(deviceCorrelationId));

  async function reject(client: Client, session: { sessionId: string; authToken: string }, device = {}): Promise<void> {
    await play(session, { scenario: "spoofface", ...device });
    assert.equal((await client.settle(session.sessionId, device)).decision, "rejected");
  }

  /** The victim, a service, and a user with a service's key can each still create up to their limits. */
  async function assertUnaffected(victim: Client, device: string): Promise<void> {
    for (let count = 0; count < limit; count += 1) await victim.openSession(device);
    assertError(await open(victim, device), 429, "429");
    await service.openSession(device);
    await clientOf({ ...principal("stranger"), ...clientKey.headers }).openSession(device);
    assertError(await open(service, device), 429, "429");
  }

  test("neither uses up the limits of others nor locks them out", async () => {
    const device = randomUUID();
    const [victim, stranger] = [clientOf(principal("victim")), clientOf(principal("stranger"))];
    const sessions = [await stranger.openSession(device), await stranger.openSession(device)];
    assertError(await open(stranger, device), 429, "429");
    for (const session of sessions) await reject(stranger, session);
    assertError(await open(stranger, device), 403, "DeviceLockedOut");
    await assertUnaffected(victim, device);
  });

  test("nor by binding sessions whose device is set in the client", async () => {
    const device = randomUUID();
    const [victim, stranger] = [clientOf(principal("victim2")), clientOf(principal("stranger2"))];
    for (let count = 0; count < limit + 1; count += 1) {
      const inClient = { deviceCorrelationId: undefined, deviceCorrelationIdSetInClient: true };
      await reject(stranger, await stranger.openSession(undefined, inClient), { deviceCorrelationId: device });
    }
    assertError(await open(stranger, device), 403, "DeviceLockedOut");
    await assertUnaffected(victim, device);
  });

  test("each user reads its own sessions only, and services read the owner of each session", async () => {
    const device = randomUUID();
    const [victim, stranger] = [clientOf(principal("victim3")), clientOf(principal("stranger3"))];
    const own = await victim.openSession(device);
    const strange = await stranger.openSession(device);
    await reject(stranger, strange);
    const services = await service.openSession(device);

    for (const [client, { sessionId }] of [
      [victim, own],
      [stranger, strange],
    ] as const) {
      const { value } = await client.outcomes(device);
      const owned = value.map((session) => [session.sessionId, "owner" in session]);
      assert.deepEqual(owned, [[sessionId, false]]);
      assert.equal("owner" in (await client.session(sessionId)), false);
    }
    const { value } = await service.outcomes(device);
    assert.deepEqual(
      value.map(({ sessionId, owner }) => [sessionId, owner]),
      [
        [services.sessionId, undefined],
        [strange.sessionId, ownerOf("stranger3")],
        [own.sessionId, ownerOf("victim3")],
      ],
    );
    assert.equal((await service.session(own.sessionId)).owner, ownerOf("victim3"));
    assert.equal((await service.settle(strange.sessionId)).owner, ownerOf("stranger3"));
  });

  test("a service lifts the lockouts of the device", async () => {
    const device = randomUUID();
    const stranger = clientOf(principal("stranger4"));
    for (const session of [await stranger.openSession(device), await stranger.openSession(device)]) {
      await reject(stranger, session);
    }
    assertError(await open(stranger, device), 403, "DeviceLockedOut");
    const lift = await service.send(`api/devices/${device}/lockout`, { method: "DELETE" });
    assert.equal(lift.status, 204);
    assertError(await open(stranger, device), 429, "429");
  });
});
