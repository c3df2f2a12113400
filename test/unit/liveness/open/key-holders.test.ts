import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { command, createWorld } from "../../fakes/world.ts";

test("idempotency key without a device, used by different callers -> one session for each caller", async () => {
  const world = createWorld();
  const setInClient = { deviceCorrelationIdSetInClient: true };
  const callers: Caller[] = [
    { trusted: true, clientName: "shop" },
    { trusted: true, clientName: "bank" },
    { trusted: false, owner: "shop" },
    { trusted: true, clientName: "shop", owner: "alice" },
  ];
  for (const caller of callers) {
    const { deps } = world.start();
    const { deviceCorrelationId: _, ...withoutDevice } = command({ caller, request: setInClient }).request;
    await openSession(
      { ...deps, policy: { ...deps.policy, allowDeviceSetInClient: true } },
      { ...command({ caller }), request: withoutDevice, idempotencyKey: "1" },
    );
  }
  assert.equal(world.service.live.size, callers.length);
});
