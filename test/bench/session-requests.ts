import { randomUUID } from "node:crypto";
import { startWebhookReceiver } from "../local/webhook-receiver.ts";
import type { Figure, Part } from "./figures.ts";
import { createSession, type Rig, send, startRig } from "./rig.ts";

const sessions = 320;
const atOnce = 8;
const hour = 3600;

/**
 * Requests to storage per session, from its creation until it is pruned: all requests through the proxies in front of
 * Azurite, divided by the number of sessions. The timer's queries and transactions count by their share.
 */
export const sessionRequests: Part = {
  name: "requests",
  async run(report): Promise<Figure[]> {
    const rig = await startRig();
    try {
      // The first use of a table creates it.
      await live(rig, 1, true, aUser);
      count(rig);
      report(`${sessions} sessions that the client settles`);
      const settled = await live(rig, sessions, true);
      report(`${sessions} sessions that name a user and that the client settles`);
      const withUser = await live(rig, sessions, true, aUser);
      report(`${sessions} sessions that the client settles, again`);
      const settledAgain = await live(rig, sessions, true);
      report(`${sessions} sessions that the timer collects`);
      const collected = await live(rig, sessions, false);
      report(`${sessions} sessions that the client settles, with a webhook`);
      const receiver = await startWebhookReceiver({ now: rig.now });
      const app = await rig.startApp(rig.appFolder, { WEBHOOK_ENDPOINTS: receiver.endpoints });
      // The clock of the new process is moved with the next move of the emulator's.
      await live({ ...rig, app }, 1, true);
      count(rig);
      const withWebhook = await live({ ...rig, app }, sessions, true);
      const delivered = receiver.received().filter(({ answer }) => answer === 204).length;
      if (delivered < sessions) throw new Error(`Only ${delivered} webhooks were received.`);
      await receiver.close();
      const common = { unit: "requests", bound: "at most", target: 8 } as const;
      return [
        { figure: "storage: create, settle, prune", ...common, ...summarise(settled) },
        { figure: "storage: create, collect, prune", ...common, ...summarise(collected) },
        {
          figure: "storage: create, settle with a webhook, prune",
          ...common,
          target: 9.5,
          ...summarise(withWebhook),
        },
        {
          figure: "storage: create for a user, settle, prune, less without a user",
          ...common,
          target: 1,
          ...summarise(withUser),
          // Every later step of a run has a few more shared requests of the timer, so the runs before and after are the base.
          measured: rounded(
            summarise(withUser).measured - (summarise(settled).measured + summarise(settledAgain).measured) / 2,
          ),
        },
      ];
    } finally {
      await rig.stop();
    }
  },
};

/** Requests per step of the sessions' lives. */
async function live(
  rig: Rig,
  number: number,
  settles: boolean,
  fields: () => object = () => ({}),
): Promise<Map<string, number>> {
  const steps = new Map<string, number>();
  const opened = await together(number, async () => createSession(rig.app, randomUUID(), fields()));
  steps.set("create", count(rig));
  await together(number, async (index) => play(rig, opened[index]));
  if (settles) {
    await together(number, async (index) => settle(rig, opened[index]));
    steps.set("settle", count(rig));
  }
  await advance(rig, 1 * hour);
  steps.set(settles ? "timer after an hour" : "collect", count(rig));
  await advance(rig, 48 * hour);
  steps.set("prune", count(rig));
  return steps;
}

function aUser(): object {
  return { userCorrelationId: randomUUID() };
}

type Opened = Awaited<ReturnType<typeof createSession>>;

async function play({ emulator }: Rig, session: Opened | undefined): Promise<void> {
  const url = `${emulator.url}/emulator/sessions/${session?.sessionId}/attempts`;
  await expectSuccess(send(url, { scenario: "realface" }, { authorization: `Bearer ${session?.authToken}` }));
}

async function settle({ app }: Rig, session: Opened | undefined): Promise<void> {
  await expectSuccess(send(`${app.url}/api/sessions/${session?.sessionId}/settle`, {}));
}

/** Advances the clock and runs the timer once. */
async function advance({ app, emulator }: Rig, advanceSeconds: number): Promise<void> {
  await expectSuccess(send(`${emulator.url}/emulator/clock`, { advanceSeconds }));
  const { status, error } = await app.runFunction("maintainSessions");
  if (status !== "Succeeded") throw new Error(`The timer failed: ${error}`);
}

async function expectSuccess(answer: ReturnType<typeof send>): Promise<void> {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(`${status} ${body}`);
}

function count({ storage }: Rig): number {
  return storage.reduce((sum, proxy) => sum + proxy.take().length, 0);
}

/** The runs differ by a few requests of the timer in all, which are no request per session. */
function rounded(requests: number): number {
  return Math.round(requests * 100) / 100;
}

function summarise(steps: Map<string, number>): Pick<Figure, "measured" | "note"> {
  const each = [...steps].map(([step, requests]) => `${step} ${(requests / sessions).toFixed(2)}`);
  return {
    measured: [...steps.values()].reduce((sum, requests) => sum + requests, 0) / sessions,
    note: each.join(", "),
  };
}

/** Calls `work` for every index below `number`, a few calls at a time. */
async function together<T>(number: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < number; index = next++) results[index] = await work(index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
