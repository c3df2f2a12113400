import { randomUUID } from "node:crypto";
import type { FunctionsHost } from "../local/functions-host/launcher.ts";
import { startWebhookReceiver } from "../local/webhook-receiver.ts";
import { type Figure, median, type Part, spread } from "./figures.ts";
import { createSession, type Rig, send, startRig } from "./rig.ts";

const rounds = 12;
const webhookMs = 10_000;

/** What a webhook that answers after ten seconds adds to the time of settling a session. */
export const slowWebhooks: Part = {
  name: "webhooks",
  async run(report): Promise<Figure[]> {
    const rig = await startRig();
    const receiver = await startWebhookReceiver();
    try {
      const app = await rig.startApp(rig.appFolder, { WEBHOOK_ENDPOINTS: receiver.endpoints });
      await send(`${receiver.url}/faults`, { delayMs: webhookMs, rate: 1 });
      // The first delivery loads the code that sends webhooks.
      for (const host of [rig.app, app]) await settleOnce(rig, host);
      report(`${rounds} sessions settled in turn without and with a webhook that takes ${webhookMs / 1000} s`);
      const without: number[] = [];
      const slow: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        without.push(await settleOnce(rig, rig.app));
        slow.push(await settleOnce(rig, app));
      }
      return [
        {
          figure: "settling with a webhook that takes 10 s, less without a webhook",
          unit: "ms",
          bound: "at most",
          target: 1100,
          measured: median(slow) - median(without),
          note: `with ${spread(slow)} ms, without ${spread(without)} ms`,
        },
      ];
    } finally {
      await receiver.close();
      await rig.stop();
    }
  },
};

/** Settles a new session with an attempt. Returns how long the answer took, in milliseconds. */
async function settleOnce({ emulator }: Rig, app: FunctionsHost): Promise<number> {
  const { sessionId, authToken } = await createSession(app, randomUUID());
  const played = await send(
    `${emulator.url}/emulator/sessions/${sessionId}/attempts`,
    { scenario: "realface" },
    { authorization: `Bearer ${authToken}` },
  );
  if (played.status >= 300) throw new Error(`The attempt failed: ${played.status} ${played.body}`);
  const start = performance.now();
  const { status, body } = await send(`${app.url}/api/sessions/${sessionId}/settle`, {});
  if (status !== 200) throw new Error(`The session was not settled: ${status} ${body}`);
  return performance.now() - start;
}
