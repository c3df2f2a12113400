import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "../../infra/build.ts";
import type { FunctionsHost } from "../local/functions-host/launcher.ts";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { cpuMicroseconds, createSession, startRig } from "./rig.ts";
import { startStorageStandIn } from "./storage-stand-in.ts";

const warmUps = 1200;
const rounds = 9;
const creations = 300;
const atOnce = 4;

/**
 * Processor time of the app's process for one creation (a new device each), beside that of an app which does nothing but
 * forward the same call with the same client library. Both run on the same functions host, one round after the other;
 * the emulator and a stand-in for storage are in this process, whose time does not count.
 */
export const creationCpu: Part = {
  name: "cpu",
  async run(tell): Promise<Figure[]> {
    const folder = await mkdtemp(join(tmpdir(), "bench-"));
    const rig = await startRig();
    const storage = await startStorageStandIn();
    try {
      const entry = join(import.meta.dirname, "fixtures/bare-app.ts");
      const { outFolder } = await build({ entry, outFolder: join(folder, "bare-app") });
      const bare = await rig.startApp(outFolder);
      const app = await rig.startApp(rig.appFolder, { AzureWebJobsStorage: storage.connectionString });
      tell(`opening ${warmUps} sessions by each app`);
      await measure(app, warmUps);
      await measure(bare, warmUps);
      tell(`${rounds} rounds of ${creations} creations each`);
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        ours.push(await measure(app, creations));
        theirs.push(await measure(bare, creations));
      }
      const note = `${told(ours)} beside ${told(theirs)}`;
      const measured = median(ours) / median(theirs);
      return [{ figure: "CPU of a creation ÷ bare forwarder", unit: "x", bound: "at most", target: 2, measured, note }];
    } finally {
      await rig.stop();
      await storage.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** Milliseconds of processor time for each creation. */
async function measure(host: FunctionsHost, number: number): Promise<number> {
  const before = await cpuMicroseconds(host);
  let left = number;
  const worker = async () => {
    for (; left > 0; left -= 1) await createSession(host, randomUUID());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return ((await cpuMicroseconds(host)) - before) / 1000 / number;
}

function told(rounds: readonly number[]): string {
  return `${median(rounds).toFixed(2)} ms (middle half ${spread(rounds, 2)})`;
}
