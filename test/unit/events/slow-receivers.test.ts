import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeliveryTarget } from "../../../src/events/delivery-target.ts";
import { keepIndex } from "../../../src/events/keep-index.ts";
import { listEvents } from "../../../src/events/list-events.ts";
import { retryDeliveries } from "../../../src/events/retry-deliveries.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { createReceiver, deliveryRowsOf, failing } from "../fakes/receiver.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../fakes/world.ts";

async function settle(world: World, deviceCorrelationId = "a-device"): Promise<void> {
  const { record } = await seedSession(world, { ttlSeconds: 86_400, deviceCorrelationId });
  play(world.service, record.sessionId, realFace());
  await settleSession(world.start().deps, trusted, record.sessionId, {});
}

/** Answers when the run of the timer ends. */
const hanging: DeliveryTarget = {
  name: "receiver",
  accepts: () => true,
  deliver: (_event, signal) =>
    new Promise((resolve) => signal?.addEventListener("abort", () => resolve({ outcome: "retry", cause: "Aborted" }))),
};

/** The parts of a run of the timer that concern events; the time for retries is over at once. */
async function runWithoutTime(world: World, { deps }: Process): Promise<void> {
  const fail = ({ cause }: { cause: unknown }) => assert.fail(String(cause));
  const tools = { ...deps, onFailure: fail, onGivenUp: () => undefined };
  const startedOn = new Date(world.now()).toISOString();
  const { deliverable } = await listEvents(tools, startedOn);
  await retryDeliveries(tools, deliverable, world.now());
  await keepIndex(tools, startedOn, world.now() + 60_000, deliverable);
}

describe("events that a run of the timer has no time to deliver", () => {
  for (const [what, minutesToList] of [
    ["listed by an earlier run", 2],
    ["listed by the same run", 7],
  ] as const) {
    test(`${what} -> the lists are complete all the same`, async () => {
      const world = createWorld();
      world.targets.push(createReceiver(() => failing));
      await settle(world);
      world.targets.splice(0, 1, hanging);
      world.advance({ minutes: minutesToList });
      await runWithoutTime(world, world.start());
      world.advance({ minutes: 5 });
      await runWithoutTime(world, world.start());
      assert.equal(deliveryRowsOf(world).length, 1);
      assert.equal(await world.start().deps.outcomeIndex.completeTo(), new Date(world.now() - 60_000).toISOString());
    });
  }
});
