import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { command, createWorld, type Process, sessionAt, trusted, type World } from "../../fakes/world.ts";

const creation = { ...command(), idempotencyKey: "once" };

async function arrange(): Promise<World> {
  const world = createWorld();
  await openSession(world.start().deps, creation);
  return world;
}

const repeat = ({ deps }: Process) => openSession(deps, creation);
const repeatElsewhere = (world: World) => {
  const process = world.start();
  return process.attempt(() => repeat(process));
};
const title = "repetition replaced by another {} -> a new session or CreationInProgress, not SessionAlreadyUsed";
await testInterleavings(title, arrange, repeat, repeatElsewhere, (world, outcome) => {
  if (!("value" in outcome)) {
    assert.ok("error" in outcome);
    assert.equal((outcome.error as { code?: string }).code, "CreationInProgress");
  }
  assert.equal(world.service.live.size, 1);
});

test("session deleted by its owner, repeated -> SessionAlreadyUsed", async () => {
  const world = await arrange();
  await deleteSession(world.start().deps, trusted, "liveness", sessionAt(world));
  for (let count = 0; count < 2; count += 1) {
    await assert.rejects(repeat(world.start()), { code: "SessionAlreadyUsed" });
  }
});

test("idempotency key without a device, used by different callers -> one session for each caller", async () => {
  const world = createWorld();
  const callers: Caller[] = [
    { trusted: true, clientName: "shop" },
    { trusted: true, clientName: "bank" },
    { trusted: false, owner: "shop" },
    { trusted: true, clientName: "shop", owner: "alice" },
  ];
  for (const caller of callers) {
    const { deps } = world.start();
    const policy = { ...deps.policy, allowDeviceSetInClient: true };
    const { deviceCorrelationId: _, ...request } = creation.request;
    const inClient = { ...creation, caller, request: { ...request, deviceCorrelationIdSetInClient: true } };
    await openSession({ ...deps, policy }, inClient);
  }
  assert.equal(world.service.live.size, callers.length);
});
