import { randomUUID } from "node:crypto";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { createSession, startRig } from "./rig.ts";

const faceMs = 200;
const storageMs = 20;
interface App {
  url: string;
}

/** Creations at full speed, after which the app's code is as fast as it gets. */
const warmUps = 600;
const rounds = 40;

/**
 * How long a caller waits for a new session, when every call to the Face service takes 200 ms and every request to
 * storage 20 ms: by the clock of a caller on the same machine, through the functions host and the built app. A known device
 * costs more where the process that is asked has not itself written the device's guard last, so that there are two. What
 * the way there and back costs by itself is told by an app that only forwards.
 */
export const creationLatency: Part = {
  name: "latency",
  async run(tell): Promise<Figure[]> {
    const rig = await startRig();
    try {
      const bare = await rig.startBareApp();
      const hosts = [rig.app, await rig.startApp(rig.appFolder), bare] as const;
      tell(`opening ${warmUps} sessions at full speed by each process`);
      const [first, second] = hosts;
      await measure([first, second, bare], warmUps / 2);
      await measure([second, first, bare], warmUps / 2);
      rig.face.delay(faceMs);
      for (const proxy of rig.storage) proxy.delay(storageMs);
      tell(`opening sessions for ${rounds} devices`);
      const { newDevice, knownDevice, rememberedDevice, forwarded } = await measure(hosts, rounds);
      const common = { unit: "ms", bound: "at most" } as const;
      const way = `, of which the forwarder takes ${median(forwarded).toFixed(1)} ms`;
      return [
        { figure: "creation, new device", ...common, target: 245, ...told(newDevice, way) },
        { figure: "creation, device known to another process", ...common, target: 285, ...told(knownDevice) },
        { figure: "creation, device known to the same process", ...common, target: 285, ...told(rememberedDevice) },
      ];
    } finally {
      await rig.stop();
    }
  },
};

/**
 * Milliseconds of the first creation of each device, of the next by another process, of the next by that one, and of one by
 * an app that only forwards.
 */
async function measure([first, second, bare]: readonly [App, App, App], devices: number) {
  const newDevice: number[] = [];
  const knownDevice: number[] = [];
  const rememberedDevice: number[] = [];
  const forwarded: number[] = [];
  for (let round = 0; round < devices; round += 1) {
    const device = randomUUID();
    for (const [host, times] of [
      [first, newDevice],
      [second, knownDevice],
      [second, rememberedDevice],
      [bare, forwarded],
    ] as const) {
      const start = performance.now();
      await createSession(host, device);
      times.push(performance.now() - start);
    }
  }
  return { newDevice, knownDevice, rememberedDevice, forwarded };
}

function told(times: number[], note = ""): Pick<Figure, "measured" | "note"> {
  return { measured: median(times), note: `median of ${times.length}; middle half ${spread(times)} ms${note}` };
}
