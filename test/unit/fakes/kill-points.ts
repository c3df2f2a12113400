import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { type OpenedSession, openSession } from "../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { eraseUser } from "../../../src/liveness/retain/erase-user.ts";
import { makeImage } from "../../fixtures/images.ts";
import { runTimer } from "./app.ts";
import type { Hook, Outcome } from "./calls.ts";
import { failedAttempt, play, realFace } from "./face-service.ts";
import { testInterruptions } from "./moments.ts";
import { seedSession } from "./seed.ts";
import { command, createWorld, type Process, type Stage, trusted, type World } from "./world.ts";

/** An operation of a process that tests stop before or after any of its calls. */
export interface Scenario<T = unknown> {
  /** Part of the title of a test. */
  what: string;
  /** The operation is a run of the timer. */
  isTimer?: boolean;
  erasesDevice?: boolean;
  /** The operation moves or removes entries of users whose sessions exist. */
  changesEntries?: boolean;
  arrange(stage: Stage): Promise<unknown>;
  operate(deps: Process["deps"], stage: Stage): Promise<T>;
}

const device = "a-device";
const user = "a-user";
const bytes = makeImage();
const alice = { trusted: false, owner: "alice" };
const keyed = { ...command({ image: { bytes }, caller: alice }), idempotencyKey: "once" };
const inClient = { ...command({ request: { deviceCorrelationIdSetInClient: true } }), idempotencyKey: "once" };
delete inClient.request.deviceCorrelationId;

/** The id of the first session at the service; no id if another process has erased it. */
const firstIn = (stage: Stage) => stage.service.live.keys().next().value ?? "";

/** A session owned by alice with two attempts. */
async function used(stage: Stage, seed: Parameters<typeof seedSession>[1] = {}): Promise<void> {
  const { record } = await seedSession(stage, { uploads: true, owner: "alice", ...seed });
  play(stage.service, record.sessionId, failedAttempt());
  const result = { livenessDecision: "spoofface", sessionImageId: "an-image", digest: "service-digest" };
  play(stage.service, record.sessionId, realFace(result));
}

const settle = (deps: Process["deps"], stage: Stage, report = {}) =>
  settleSession(deps, trusted, firstIn(stage), report);
const bind = (deps: Process["deps"], stage: Stage) => settle(deps, stage, { deviceCorrelationId: device });

const named = (options: Parameters<typeof command>[0] = {}) =>
  command({ image: { bytes }, caller: alice, ...options, request: { userCorrelationId: user, ...options.request } });
const namedOnce = { ...named(), idempotencyKey: "once" };
const namedInClient = { ...named({ request: { deviceCorrelationIdSetInClient: true } }), idempotencyKey: "once" };
delete namedInClient.request.deviceCorrelationId;

/** Opens a session that names the user and whose device is set in the client. */
function openInClient({ deps }: Process, { idempotencyKey }: { idempotencyKey?: string } = {}) {
  const { idempotencyKey: _, ...unkeyed } = namedInClient;
  const policy = { ...deps.policy, allowDeviceSetInClient: true };
  return openSession({ ...deps, policy }, idempotencyKey === undefined ? unkeyed : { ...unkeyed, idempotencyKey });
}

/** A session that names the user, with two attempts. */
async function usedByUser(stage: Stage): Promise<void> {
  const { record } = await openSession(stage.start().deps, named());
  play(stage.service, record.sessionId, failedAttempt());
  play(stage.service, record.sessionId, realFace({ sessionImageId: "an-image", digest: "service-digest" }));
}

/**
 * Sessions that name the user: a used one, one whose move to its device was interrupted, and a creation that was
 * interrupted after the service had opened its session.
 */
async function someOfUser(stage: Stage): Promise<void> {
  await usedByUser(stage);
  const { record } = await openInClient(stage.start(), { idempotencyKey: "once" });
  const moving = stage.start(({ name, nth, when }) =>
    name === "sessions.transact" && nth === 2 && when === "after" ? "stop" : undefined,
  );
  await moving.attempt((deps) => settleSession(deps, trusted, record.sessionId, { deviceCorrelationId: device }));
  await crashAtEntry(stage);
}

/** Besides these, a session of another device, and one whose device is set in the client. */
async function manyOfUser(stage: Stage): Promise<void> {
  await someOfUser(stage);
  await openSession(stage.start().deps, named({ request: { deviceCorrelationId: "another-device" } }));
  await openInClient(stage.start());
}

/** A creation that names the user stops when its entry is written. */
async function crashAtEntry(stage: Stage): Promise<void> {
  const crashed = stage.start(({ name, when }) => (name === "users.put" && when === "after" ? "stop" : undefined));
  await crashed.attempt((deps) => openSession(deps, named()));
}

/** Operations on sessions that name the user `a-user`. */
export const userScenarios: Scenario[] = [
  {
    what: "a creation that names a user",
    arrange: async () => undefined,
    operate: (deps) => openSession(deps, namedOnce),
  },
  {
    what: "a creation that names a user, for a known device",
    arrange: (stage) => openSession(stage.start().deps, command()),
    operate: (deps) => openSession(deps, named()),
  },
  {
    what: "a repeated creation that names a user",
    arrange: (stage) => openSession(stage.start().deps, namedOnce),
    operate: (deps) => openSession(deps, namedOnce),
  },
  {
    what: "a creation that names a user, with the device set in the client",
    arrange: async () => undefined,
    operate: (deps) =>
      openSession({ ...deps, policy: { ...deps.policy, allowDeviceSetInClient: true } }, namedInClient),
  },
  {
    what: "binding a session that names a user",
    async arrange(stage) {
      const { record } = await openInClient(stage.start());
      play(stage.service, record.sessionId, realFace());
    },
    changesEntries: true,
    operate: bind,
  },
  {
    what: "binding a settled session that names a user and was created with an idempotency key",
    async arrange(stage) {
      const { record } = await openInClient(stage.start(), { idempotencyKey: "once" });
      play(stage.service, record.sessionId, realFace());
      await settle(stage.start().deps, stage);
    },
    changesEntries: true,
    operate: bind,
  },
  {
    what: "deleting a session that names a user",
    arrange: usedByUser,
    operate: (deps, stage) => deleteSession(deps, trusted, "livenessWithVerify", firstIn(stage)),
  },
  {
    what: "an erasure of the device of a session that names a user",
    async arrange(stage) {
      await usedByUser(stage);
      await settle(stage.start().deps, stage);
      await crashAtEntry(stage);
    },
    erasesDevice: true,
    changesEntries: true,
    operate: (deps) => eraseDevice(deps, device),
  },
  {
    what: "an erasure of a user",
    arrange: manyOfUser,
    operate: (deps) => eraseUser(deps, user),
  },
  ...[[], [{ hours: 1 }], [{ hours: 1 }, { hours: 50 }]].map((earlier) => ({
    what: `run ${earlier.length + 1} of the timer for sessions that name a user`,
    isTimer: true,
    async arrange(stage: Stage) {
      await someOfUser(stage);
      for (const time of earlier) {
        stage.advance(time);
        await runTimer(stage.start());
      }
      stage.advance([{ hours: 1 }, { hours: 50 }, { days: 91 }][earlier.length] ?? {});
    },
    operate: (deps: Process["deps"], stage: Stage) => runTimer({ ...stage.start(), deps }),
  })),
];

export const creating: Scenario<OpenedSession> = {
  what: "a creation",
  arrange: async () => undefined,
  operate: (deps) => openSession(deps, keyed),
};
export const repeating: Scenario<OpenedSession> = {
  what: "a repeated creation",
  arrange: (stage) => openSession(stage.start().deps, keyed),
  operate: (deps) => openSession(deps, keyed),
};
export const settling: Scenario = { what: "settling", arrange: used, operate: settle };
export const deleting: Scenario = {
  what: "deleting a session",
  arrange: used,
  operate: (deps, stage) => deleteSession(deps, trusted, "livenessWithVerify", firstIn(stage)),
};
export const binding: Scenario = {
  what: "binding a session to its device",
  arrange: (stage) => used(stage, { setInClient: true }),
  operate: bind,
};
export const erasing: Scenario = {
  what: "an erasure",
  async arrange(stage) {
    const { deps } = stage.start();
    await used(stage);
    await settle(deps, stage);
    await seedSession(stage);
    const facts = { ...inspectImage(bytes), contentType: "image/png" } as const;
    await deps.devices.bindImage(device, "held/passport", new Date(deps.now()).toISOString());
    await deps.images.put("held/passport", { bytes, facts, deviceCorrelationId: device });
    const crashed = stage.start(({ name, when }) => (name === "face.create" && when === "after" ? "stop" : undefined));
    await crashed.attempt((crashedDeps) => openSession(crashedDeps, command({ image: { bytes } })));
  },
  operate: (deps) => eraseDevice(deps, device),
};

/** Operations on sessions of a device. */
export const scenarios: Scenario[] = [
  ...[creating, repeating, settling, deleting, binding, erasing],
  {
    what: "a creation for a known device",
    arrange: (stage) => openSession(stage.start().deps, command()),
    operate: (deps) => openSession(deps, command()),
  },
  {
    what: "binding a settled session that was created with an idempotency key",
    async arrange(stage) {
      const { deps } = stage.start();
      const policy = { ...deps.policy, allowDeviceSetInClient: true };
      const { record } = await openSession({ ...deps, policy }, inClient);
      play(stage.service, record.sessionId, realFace());
      await settle(stage.start().deps, stage);
    },
    operate: bind,
  },
];

/** A world in which the operation of a scenario can run. */
export async function arranged(scenario: Scenario): Promise<World> {
  const world = createWorld();
  await scenario.arrange(world);
  return world;
}

/** Tests every interruption of a scenario's operation. @param expected follows the interruption in the title. */
export function testScenario<T>(
  scenario: Scenario<T>,
  expected: string,
  check: (world: World, outcome: Outcome<T>) => Promise<void>,
): Promise<void> {
  return testInterruptions(
    expected,
    () => arranged(scenario),
    ({ deps }, world) => scenario.operate(deps, world),
    check,
  );
}

/** The calls of an operation that is not interrupted. */
export async function callsOf({ arrange, operate }: Scenario, stage: Stage): Promise<readonly string[]> {
  await arrange(stage);
  const { calls, deps } = stage.start();
  await operate(deps, stage);
  return calls.names;
}

/** Runs an operation that `hook` interrupts, then the timer after all retentions have ended. */
export async function interruptAndExpire({ arrange, operate }: Scenario, stage: Stage, hook: Hook): Promise<void> {
  await arrange(stage);
  await stage.start(hook).attempt((deps) => operate(deps, stage));
  await expire(stage);
}

/** Runs the timer twice after all retentions have ended. */
export async function expire(stage: Stage): Promise<void> {
  stage.advance({ days: 400 });
  for (let run = 0; run < 2; run += 1) {
    const process = stage.start();
    const retention = { ...process.deps.retention, referenceImageDays: 30 };
    await runTimer({ ...process, deps: { ...process.deps, retention } });
  }
}
