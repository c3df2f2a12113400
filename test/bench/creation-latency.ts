import { randomUUID } from "node:crypto";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { createSession, startRig } from "./rig.ts";

const faceMs = 200;
const storageMs = 20;
/** Creations before the measurement, so that the app's code is compiled. */
const warmUps = 600;
const rounds = 40;

/**
 * Latency of a creation for a caller on the same machine, through the functions host and the built app. Every call to the
 * Face service takes 200 ms and every request to storage 20 ms. A known device takes more requests where another process
 * wrote the device's guard last, so there are two processes. An app that only forwards shows the share of the transport.
 */
export const creationLatency: Part = {
  name: "latency",
  async run(report): Promise<Figure[]> {
    const rig = await startRig();
    try {
      const bare = await rig.startBareApp();
      const other = await rig.startApp(rig.appFolder);
      report(`opening ${warmUps} sessions at full speed by each process`);
      for (const app of [rig.app, other, bare]) await measure(app, newDevices(warmUps));
      rig.face.delay(faceMs);
      for (const proxy of rig.storage) proxy.delay(storageMs);
      report(`opening sessions for ${rounds} devices`);
      const forwarded = await measure(bare, newDevices(rounds));
      const devices = newDevices(rounds);
      const newDevice = await measure(rig.app, devices);
      const knownDevice = await measure(other, devices);
      const rememberedDevice = await measure(other, devices);
      const common = { unit: "ms", bound: "at most" } as const;
      const way = `, of which the forwarder takes ${median(forwarded).toFixed(1)} ms`;
      return [
        { figure: "creation, new device", ...common, target: 245, ...summarise(newDevice, way) },
        { figure: "creation, device known to another process", ...common, target: 285, ...summarise(knownDevice) },
        {
          figure: "creation, device known to the same process",
          ...common,
          target: 285,
          ...summarise(rememberedDevice),
        },
      ];
    } finally {
      await rig.stop();
    }
  },
};

function newDevices(count: number): string[] {
  return Array.from({ length: count }, () => randomUUID());
}

/** Milliseconds of a creation for each device, one after the other. */
async function measure(app: { url: string }, devices: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (const device of devices) {
    const start = performance.now();
    await createSession(app, device);
    times.push(performance.now() - start);
  }
  return times;
}

function summarise(times: number[], note = ""): Pick<Figure, "measured" | "note"> {
  return { measured: median(times), note: `median of ${times.length}; middle half ${spread(times)} ms${note}` };
}
