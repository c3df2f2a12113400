import { randomUUID } from "node:crypto";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { createSession, type Rig, send, startRig } from "./rig.ts";
import { type StorageStandIn, startStorageStandIn } from "./storage-stand-in.ts";

const rounds = 15;

/**
 * Time from the start of a process to its first answer: that of a creation, relative to that of an app with one empty
 * function. Each time in a new process on the functions host, in alternating rounds. The stand-in for storage and the Face
 * emulator answer without delay.
 */
export const firstAnswer: Part = {
  name: "start",
  async run(report): Promise<Figure[]> {
    const rig = await startRig();
    const storage = await startStorageStandIn();
    try {
      const emptyApp = await rig.buildFixture("empty-app");
      report(`starting each app ${rounds} times`);
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        ours.push(await firstAnswerOf(rig, rig.appFolder, storage, (app) => createSession(app, randomUUID())));
        theirs.push(await firstAnswerOf(rig, emptyApp, storage, ({ url }) => send(`${url}/nothing`)));
      }
      return [
        {
          figure: "first creation ÷ first answer of an app with one empty function",
          unit: "x",
          bound: "at most",
          target: 1.3,
          measured: median(ours) / median(theirs),
          note: `${summarise(ours)} beside ${summarise(theirs)}`,
        },
      ];
    } finally {
      await rig.stop();
      await storage.close();
    }
  },
};

/** Milliseconds from the start of an app's process to its answer to `call`. */
async function firstAnswerOf(
  rig: Rig,
  appFolder: string,
  storage: StorageStandIn,
  call: (app: { url: string }) => Promise<unknown>,
): Promise<number> {
  const start = performance.now();
  const app = await rig.startApp(appFolder, { AzureWebJobsStorage: storage.keyless });
  await call(app);
  const elapsed = performance.now() - start;
  await app.stop();
  return elapsed;
}

function summarise(times: readonly number[]): string {
  return `${median(times).toFixed(0)} ms (middle half ${spread(times, 0)})`;
}
