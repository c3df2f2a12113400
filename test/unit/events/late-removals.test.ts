import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { runTimer } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, trusted } from "../fakes/world.ts";

test("sessions whose images cannot be removed for a time -> the lists are complete all the same", async () => {
  const world = createWorld();
  const { record } = await seedSession(world, { uploads: true });
  play(world.service, record.sessionId, realFace());
  await settleSession(world.start().deps, trusted, record.sessionId, {});
  for (const minutes of [2, 20]) {
    world.advance({ minutes });
    await runTimer(world.start());
  }
  world.advance({ hours: 50 });
  const broken = world.start(({ name, when }) =>
    name === "images.delete" && when === "before" ? new ApiError(503, "StorageUnavailable", "no") : undefined,
  );
  await runTimer(broken).catch(() => undefined);
  assert.deepEqual(
    world.tables.expiry.all().map(({ value }) => [value.phase, value.dueOn <= new Date(world.now()).toISOString()]),
    [["prune", true]],
  );
  assert.equal(await world.start().deps.outcomeIndex.completeTo(), new Date(world.now() - 60_000).toISOString());
});

test("sessions whose further attempts cannot be collected for a time -> the lists are complete all the same", async () => {
  const world = createWorld();
  const { record } = await seedSession(world);
  play(world.service, record.sessionId, realFace());
  await settleSession(world.start().deps, trusted, record.sessionId, {});
  world.advance({ minutes: 2 });
  await runTimer(world.start());
  world.advance({ minutes: 20 });
  const refused = new ApiError(502, "FaceCredentialsRejected", "no");
  const broken = world.start(({ name, when }) => (name === "face.get" && when === "before" ? refused : undefined));
  await runTimer(broken).catch(() => undefined);
  assert.deepEqual(
    world.tables.expiry.all().map(({ value }) => [value.phase, value.dueOn <= new Date(world.now()).toISOString()]),
    [["collect", true]],
  );
  assert.equal(await world.start().deps.outcomeIndex.completeTo(), new Date(world.now() - 60_000).toISOString());
});
