import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { openSession } from "../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { makeImage } from "../../fixtures/images.ts";
import { runTimer } from "./app.ts";
import type { Hook } from "./calls.ts";
import { failedAttempt, play, realFace } from "./face-service.ts";
import { seedSession } from "./seed.ts";
import { command, type Process, type Stage, trusted } from "./world.ts";

/** An operation of a process, for tests that stop it before or after any of its calls. */
export interface Deed {
  /** Part of the title of a test. */
  what: string;
  arrange(stage: Stage): Promise<unknown>;
  operate(deps: Process["deps"], stage: Stage): Promise<unknown>;
}

const device = "a-device";
const bytes = makeImage();
const alice = { trusted: false, owner: "alice" };
const keyed = { ...command({ image: { bytes }, caller: alice }), idempotencyKey: "once" };
const inClient = {
  ...command({ request: { deviceCorrelationIdSetInClient: true } }),
  idempotencyKey: "once",
};
delete inClient.request.deviceCorrelationId;

const only = (stage: Stage) => [...stage.service.live.keys()][0] ?? "";

/** A session owned by alice with two attempts. */
async function used(stage: Stage, seed: Parameters<typeof seedSession>[1] = {}): Promise<void> {
  const { record } = await seedSession(stage, { uploads: true, owner: "alice", ...seed });
  play(stage.service, record.sessionId, failedAttempt());
  const result = { livenessDecision: "spoofface", sessionImageId: "an-image", digest: "service-digest" };
  play(stage.service, record.sessionId, realFace(result));
}

const settle = (deps: Process["deps"], stage: Stage, report = {}) => settleSession(deps, trusted, only(stage), report);
const bind = (deps: Process["deps"], stage: Stage) => settle(deps, stage, { deviceCorrelationId: device });

export const deeds: Deed[] = [
  { what: "a creation", arrange: async () => undefined, operate: (deps) => openSession(deps, keyed) },
  {
    what: "a creation for a known device",
    arrange: (stage) => openSession(stage.start().deps, command()),
    operate: (deps) => openSession(deps, command()),
  },
  {
    what: "a repeated creation",
    arrange: (stage) => openSession(stage.start().deps, keyed),
    operate: (deps) => openSession(deps, keyed),
  },
  { what: "settling", arrange: used, operate: settle },
  {
    what: "deleting a session",
    arrange: used,
    operate: (deps, stage) => deleteSession(deps, trusted, "livenessWithVerify", only(stage)),
  },
  {
    what: "binding a session to its device",
    arrange: (stage) => used(stage, { setInClient: true }),
    operate: bind,
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
  {
    what: "an erasure",
    async arrange(stage) {
      const { deps } = stage.start();
      await used(stage);
      await settle(deps, stage);
      await seedSession(stage);
      const facts = { ...inspectImage(bytes), contentType: "image/png" } as const;
      await deps.devices.bindImage(device, "held/passport", new Date(deps.now()).toISOString());
      await deps.images.put("held/passport", { bytes, facts, deviceCorrelationId: device });
      const crashed = stage.start(({ name, when }) =>
        name === "face.create" && when === "after" ? "stop" : undefined,
      );
      await crashed.attempt((crashedDeps) => openSession(crashedDeps, command({ image: { bytes } })));
    },
    operate: (deps) => eraseDevice(deps, device),
  },
];

/** The calls of a deed that is not interrupted. */
export async function callsOf({ arrange, operate }: Deed, stage: Stage): Promise<readonly string[]> {
  await arrange(stage);
  const { calls, deps } = stage.start();
  await operate(deps, stage);
  return calls.names;
}

/** Runs a deed that `hook` interrupts, then the timer after all retentions have ended. */
export async function outlive({ arrange, operate }: Deed, stage: Stage, hook: Hook): Promise<void> {
  await arrange(stage);
  await stage.start(hook).attempt((deps) => operate(deps, stage));
  await passAges(stage);
}

/** Runs the timer twice after all retentions have ended. */
export async function passAges(stage: Stage): Promise<void> {
  stage.advance({ days: 400 });
  for (let run = 0; run < 2; run += 1) {
    const process = stage.start();
    const retention = { ...process.deps.retention, referenceImageDays: 30 };
    await runTimer({ ...process, deps: { ...process.deps, retention } });
  }
}
