import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { clientKey, ownerOf, principal } from "../unit/fakes/principals.ts";
import { assertError, createAppClient, creation, playAttempt, sessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const limit = 2;

/** A signed-in user knows the id of another user's device and uses it. */
describe("a user who creates sessions for another user's device", async () => {
  const { stack } = await openStack({
    env: {
      ...clientKey.settings,
      ALLOW_DEVICE_SET_IN_CLIENT: "true",
      CREATION_LIMIT: String(limit),
      OWNER_CREATION_LIMIT: "20",
      LOCKOUT_REJECTIONS: "2",
    },
  });
  const clientOf = (headers: Record<string, string>) => createAppClient(stack.url, headers);
  type Client = ReturnType<typeof clientOf>;
  const service = clientOf(clientKey.headers);

  const open = (client: Client, deviceCorrelationId: string) =>
    client.send(sessionsPath, creation(deviceCorrelationId));

  async function reject(client: Client, session: { sessionId: string; authToken: string }, device = {}): Promise<void> {
    await playAttempt(stack.emulator, session, { scenario: "spoofface", ...device });
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
      assert.deepEqual(
        value.map((session) => [session.sessionId, "owner" in session]),
        [[sessionId, false]],
      );
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
