import { compact } from "../../../src/compact.ts";
import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { type OpenedSession, openSession } from "../../../src/liveness/open/open-session.ts";
import type { OpenSessionCommand } from "../../../src/liveness/open/plan-session.ts";
import { deleteSession } from "../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { eraseUser } from "../../../src/liveness/retain/erase-user.ts";
import { makeImage } from "../../fixtures/images.ts";
import { runTimer, runTimerAfter } from "./app.ts";
import { type Hook, type Outcome, stopOn } from "./calls.ts";
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
const inClient = { deviceCorrelationId: undefined, deviceCorrelationIdSetInClient: true };

/** A creation by alice with an image. */
function creationOf(request: object, options: Parameters<typeof command>[0] = { image: { bytes }, caller: alice }) {
  const creation = command(options);
  return { ...creation, request: compact({ ...creation.request, ...request }) };
}
const once = <T extends object>(creation: T) => ({ ...creation, idempotencyKey: "once" });
const keyed = once(creationOf({}));
const named = creationOf({ userCorrelationId: user });
const namedInClient = creationOf({ userCorrelationId: user, ...inClient });

const nothing = async () => undefined;
const open = (creation: OpenSessionCommand) => (deps: Process["deps"]) =>
  openSession({ ...deps, policy: { ...deps.policy, allowDeviceSetInClient: true } }, creation);
const opened = (creation: OpenSessionCommand) => (stage: Stage) => open(creation)(stage.start().deps);

/** The id of the first session at the service; no id if another process has erased it. */
const firstIn = (stage: Stage) => stage.service.live.keys().next().value ?? "";

const settle = (deps: Process["deps"], stage: Stage, report = {}) =>
  settleSession(deps, trusted, firstIn(stage), report);
const bind = (deps: Process["deps"], stage: Stage) => settle(deps, stage, { deviceCorrelationId: device });
const remove = (deps: Process["deps"], stage: Stage) =>
  deleteSession(deps, trusted, "livenessWithVerify", firstIn(stage));

/** A session owned by alice with two attempts. */
async function used(stage: Stage, seed: Parameters<typeof seedSession>[1] = {}): Promise<void> {
  const result = { livenessDecision: "spoofface", sessionImageId: "an-image", digest: "service-digest" };
  await seedSession(stage, { uploads: true, owner: "alice", ...seed }, failedAttempt(), realFace(result));
}

/** A session that names the user, with two attempts. */
async function usedByUser(stage: Stage): Promise<void> {
  const { record } = await opened(named)(stage);
  play(stage.service, record.sessionId, failedAttempt());
  play(stage.service, record.sessionId, realFace({ sessionImageId: "an-image", digest: "service-digest" }));
}

/** A session whose device is set in the client, with an attempt; and settled. */
const unbound = (creation: OpenSessionCommand, isSettled: boolean) => async (stage: Stage) => {
  const { record } = await opened(creation)(stage);
  play(stage.service, record.sessionId, realFace());
  if (isSettled) await settle(stage.start().deps, stage);
};

/** A creation that names the user stops when its entry is written. */
const crashAtEntry = (stage: Stage) => stage.start(stopOn("users.put")).attempt(open(named));

/**
 * Sessions that name the user: a used one, one whose move to its device was interrupted, and a creation that was
 * interrupted after the service had opened its session.
 */
async function someOfUser(stage: Stage): Promise<void> {
  await usedByUser(stage);
  const { record } = await opened(once(namedInClient))(stage);
  const moving = stage.start(stopOn("sessions.transact", "after", 2));
  await moving.attempt((deps) => settleSession(deps, trusted, record.sessionId, { deviceCorrelationId: device }));
  await crashAtEntry(stage);
}

/** Operations on sessions that name the user `a-user`. */
export const userScenarios: Scenario[] = [
  { what: "a creation that names a user", arrange: nothing, operate: open(once(named)) },
  { what: "a creation that names a user, for a known device", arrange: opened(command()), operate: open(named) },
  { what: "a repeated creation that names a user", arrange: opened(once(named)), operate: open(once(named)) },
  {
    what: "a creation that names a user, with the device set in the client",
    arrange: nothing,
    operate: open(once(namedInClient)),
  },
  {
    what: "binding a session that names a user",
    arrange: unbound(namedInClient, false),
    changesEntries: true,
    operate: bind,
  },
  {
    what: "binding a settled session that names a user and was created with an idempotency key",
    arrange: unbound(once(namedInClient), true),
    changesEntries: true,
    operate: bind,
  },
  { what: "deleting a session that names a user", arrange: usedByUser, operate: remove },
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
    async arrange(stage) {
      await someOfUser(stage);
      await opened(creationOf({ userCorrelationId: user, deviceCorrelationId: "another-device" }))(stage);
      await opened(namedInClient)(stage);
    },
    operate: (deps) => eraseUser(deps, user),
  },
  ...[[], [{ hours: 1 }], [{ hours: 1 }, { hours: 50 }]].map((earlier) => ({
    what: `run ${earlier.length + 1} of the timer for sessions that name a user`,
    isTimer: true,
    async arrange(stage: Stage) {
      await someOfUser(stage);
      await runTimerAfter(stage, ...earlier);
      stage.advance([{ hours: 1 }, { hours: 50 }, { days: 91 }][earlier.length] ?? {});
    },
    operate: (deps: Process["deps"], stage: Stage) => runTimer({ ...stage.start(), deps }),
  })),
];

export const creating: Scenario<OpenedSession> = { what: "a creation", arrange: nothing, operate: open(keyed) };
export const repeating: Scenario<OpenedSession> = {
  what: "a repeated creation",
  arrange: opened(keyed),
  operate: open(keyed),
};
export const settling: Scenario = { what: "settling", arrange: used, operate: settle };
export const deleting: Scenario = { what: "deleting a session", arrange: used, operate: remove };
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
    await stage.start(stopOn("face.create")).attempt(open(command({ image: { bytes } })));
  },
  operate: (deps) => eraseDevice(deps, device),
};

/** Operations on sessions of a device. */
export const scenarios: Scenario[] = [
  ...[creating, repeating, settling, deleting, binding, erasing],
  { what: "a creation for a known device", arrange: opened(command()), operate: open(command()) },
  {
    what: "binding a settled session that was created with an idempotency key",
    arrange: unbound(once(creationOf(inClient, {})), true),
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
