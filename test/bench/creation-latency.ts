import { randomUUID } from "node:crypto";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { createSession, startRig } from "./rig.ts";

const faceMs = 200;
const storageMs = 20;
/** Creations at full speed, after which the app's code is as fast as it gets. */
const warmUps = 600;
const rounds = 40;

/**
 * How long a caller waits for a new session, when every call to the Face service takes 200 ms and every request to
 * storage 20 ms: by the clock of a caller on the same machine, through the functions host and the built app. A known device
 * costs more where the process that is asked has not itself written the device's guard last, so that there are two.
 */
export const creationLatency: Part = {
  name: "latency",
  async run(tell): Promise<Figure[]> {
    const rig = await startRig();
    try {
      const other = await rig.startApp(rig.appFolder);
      const hosts = { first: rig.app, second: other };
      tell(`opening ${warmUps} sessions at full speed by each of two processes`);
      await measure(hosts, warmUps / 2);
      await measure({ first: other, second: rig.app }, warmUps / 2);
      rig.face.delay(faceMs);
      for (const proxy of rig.storage) proxy.delay(storageMs);
      tell(`opening three sessions each for ${rounds} devices`);
      const { newDevice, knownDevice, rememberedDevice } = await measure(hosts, rounds);
      const common = { unit: "ms", bound: "at most" } as const;
      return [
        { figure: "creation, new device", ...common, target: 245, ...told(newDevice) },
        { figure: "creation, device known to another process", ...common, target: 285, ...told(knownDevice) },
        { figure: "creation, device known to the same process", ...common, target: 285, ...told(rememberedDevice) },
      ];
    } finally {
      await rig.stop();
    }
  },
};

/** Milliseconds of the first creation of each device, of the next by another process, and of the next by that one. */
async function measure(hosts: { first: { url: string }; second: { url: string } }, devices: number) {
  const newDevice: number[] = [];
  const knownDevice: number[] = [];
  const rememberedDevice: number[] = [];
  for (let round = 0; round < devices; round += 1) {
    const device = randomUUID();
    for (const [host, times] of [
      [hosts.first, newDevice],
      [hosts.second, knownDevice],
      [hosts.second, rememberedDevice],
    ] as const) {
      const start = performance.now();
      await createSession(host, device);
      times.push(performance.now() - start);
    }
  }
  return { newDevice, knownDevice, rememberedDevice };
}

function told(times: number[]): Pick<Figure, "measured" | "note"> {
  return { measured: median(times), note: `median of ${times.length}; middle half ${spread(times)} ms` };
}
