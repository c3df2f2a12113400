import { randomUUID } from "node:crypto";
import type { FunctionsHost } from "../local/functions-host/launcher.ts";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { cpuMicroseconds, createSession, startRig } from "./rig.ts";
import { startStorageStandIn } from "./storage-stand-in.ts";

const warmUps = 1200;
const rounds = 9;
const creations = 300;
const atOnce = 4;

/**
 * CPU time of the app's process for one creation (each of a new device), relative to that of an app that only forwards the
 * call with the same client library. Both run on the same functions host, in alternating rounds. The emulator and a
 * stand-in for storage run in this process, whose time does not count. Measured without a key, as deployed (an identity's
 * token goes with each request to storage), with an account key, which signs each request, and with telemetry.
 */
export const creationCpu: Part = {
  name: "cpu",
  async run(report): Promise<Figure[]> {
    const rig = await startRig();
    const storage = await startStorageStandIn();
    try {
      const bare = await rig.startBareApp();
      const keyless = await rig.startApp(rig.appFolder, { AzureWebJobsStorage: storage.keyless });
      const telling = await rig.startApp(rig.appFolder, {
        AzureWebJobsStorage: storage.keyless,
        APPLICATIONINSIGHTS_CONNECTION_STRING: storage.telemetry,
      });
      const keyed = await rig.startApp(rig.appFolder, { AzureWebJobsStorage: storage.keyed });
      const apps = [bare, telling, keyless, keyed].map((host) => ({ host, times: [] as number[] }));
      report(`opening ${warmUps} sessions by each app`);
      for (const { host } of apps) await measure(host, warmUps);
      report(`${rounds} rounds of ${creations} creations each`);
      for (let round = 0; round < rounds; round += 1) {
        for (const { host, times } of apps) times.push(await measure(host, creations));
      }
      const [theirs = [], instrumented = [], ...ours] = apps.map(({ times }) => times);
      const withTelemetry = `; with telemetry ${(median(instrumented) / median(theirs)).toFixed(2)} x`;
      return ours.map((times, index) => ({
        figure: `CPU of a creation ÷ bare forwarder, ${index === 0 ? "keyless" : "account key"}`,
        ...{ unit: "x", bound: "at most", target: 2 },
        measured: median(times) / median(theirs),
        note: `${spelled(times)} beside ${spelled(theirs)}${index === 0 ? withTelemetry : ""}`,
      }));
    } finally {
      await rig.stop();
      await storage.close();
    }
  },
};

/** CPU time per creation, in milliseconds. */
async function measure(host: FunctionsHost, number: number): Promise<number> {
  const before = await cpuMicroseconds(host);
  let left = number;
  const worker = async () => {
    for (; left > 0; left -= 1) await createSession(host, randomUUID());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return ((await cpuMicroseconds(host)) - before) / 1000 / number;
}

function spelled(rounds: readonly number[]): string {
  return `${median(rounds).toFixed(2)} ms (middle half ${spread(rounds, 2)})`;
}
