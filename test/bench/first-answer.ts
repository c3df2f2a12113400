import { randomUUID } from "node:crypto";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { createSession, type Rig, send, startRig } from "./rig.ts";

const rounds = 15;

/**
 * Time from the start of a process to its first answer: that of a creation, relative to that of an app with one empty
 * function. Each time in a new process on the functions host, in alternating rounds. Neither Face nor storage is delayed.
 */
export const firstAnswer: Part = {
  name: "start",
  async run(report): Promise<Figure[]> {
    const rig = await startRig();
    try {
      const emptyApp = await rig.buildFixture("empty-app");
      // The first use of a table creates it.
      await createSession(rig.app, randomUUID());
      report(`starting each app ${rounds} times`);
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        ours.push(await firstAnswerOf(rig, rig.appFolder, (app) => createSession(app, randomUUID())));
        theirs.push(await firstAnswerOf(rig, emptyApp, ({ url }) => send(`${url}/nothing`)));
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
    }
  },
};

/** Milliseconds from the start of an app's process to its answer to `call`. */
async function firstAnswerOf(
  rig: Rig,
  appFolder: string,
  call: (app: { url: string }) => Promise<unknown>,
): Promise<number> {
  const start = performance.now();
  const app = await rig.startApp(appFolder);
  await call(app);
  const elapsed = performance.now() - start;
  await app.stop();
  return elapsed;
}

function summarise(times: readonly number[]): string {
  return `${median(times).toFixed(0)} ms (middle half ${spread(times, 0)})`;
}
