import { randomUUID } from "node:crypto";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { createSession, type Rig, startRig } from "./rig.ts";

const faceMs = 200;
const storageMs = 20;
/** Creations at full speed, after which the app's code is as fast as it gets. */
const warmUps = 600;
const rounds = 40;

/**
 * How long a caller waits for a new session, when every call to the Face service takes 200 ms and every request to
 * storage 20 ms: by the clock of a caller on the same machine, through the functions host and the built app.
 */
export const creationLatency: Part = {
  name: "latency",
  async run(tell): Promise<Figure[]> {
    const rig = await startRig();
    try {
      tell(`opening ${warmUps} sessions at full speed`);
      await measure(rig, warmUps / 2);
      rig.face.delay(faceMs);
      for (const proxy of rig.storage) proxy.delay(storageMs);
      tell(`opening two sessions each for ${rounds} devices`);
      const { newDevice, knownDevice } = await measure(rig, rounds);
      const common = { unit: "ms", bound: "at most" } as const;
      return [
        { figure: "creation, new device", ...common, target: 245, ...told(newDevice) },
        { figure: "creation, known device", ...common, target: 285, ...told(knownDevice) },
      ];
    } finally {
      await rig.stop();
    }
  },
};

/** Milliseconds of the first and of the second creation of each device. */
async function measure(rig: Rig, devices: number): Promise<{ newDevice: number[]; knownDevice: number[] }> {
  const newDevice: number[] = [];
  const knownDevice: number[] = [];
  for (let round = 0; round < devices; round += 1) {
    const device = randomUUID();
    for (const times of [newDevice, knownDevice]) {
      const start = performance.now();
      await createSession(rig.app, device);
      times.push(performance.now() - start);
    }
  }
  return { newDevice, knownDevice };
}

function told(times: number[]): Pick<Figure, "measured" | "note"> {
  return { measured: median(times), note: `median of ${times.length}; middle half ${spread(times)} ms` };
}
