import { randomUUID } from "node:crypto";
import { type HostileBody, hostileBodies } from "../fixtures/hostile-bodies.ts";
import { makeImage } from "../fixtures/images.ts";
import { sendBody } from "../fixtures/send-body.ts";
import type { FunctionsHost } from "../local/functions-host/launcher.ts";
import { type Figure, median, type Part } from "./figures.ts";
import { cpuMicroseconds, startRig } from "./rig.ts";

const refusals = new Set([400, 404, 408, 413, 415]);
const rounds = 5;
const honestRequests = 6;
const hostileRequests = 3;

/**
 * Bodies in smaller chunks are in the tests only: the bench would measure how the HTTP servers of Node.js parse chunks,
 * one of which is the functions host's stand-in.
 */
const smallestChunk = 1024;

/**
 * CPU time of the app's process for the most expensive hostile body, relative to that for the largest valid one: a creation
 * with verify and an image of 6 MB. In alternating rounds. The stand-in of the functions host runs in the same process
 * and counts for both.
 */
export const hostileBodyCpu: Part = {
  name: "bodies",
  async run(report): Promise<Figure[]> {
    const rig = await startRig();
    try {
      const bodies = hostileBodies().filter(({ chunkBytes = smallestChunk }) => chunkBytes >= smallestChunk);
      const honest: number[] = [];
      const hostile = bodies.map(() => [] as number[]);
      report(`${bodies.length} hostile bodies, ${rounds} rounds`);
      for (let round = -1; round < rounds; round += 1) {
        const ofHonest = await measure(rig.app, honestRequests, async () => send(rig.app, await honestCreation(), 200));
        const ofHostile: number[] = [];
        for (const body of bodies) {
          ofHostile.push(await measure(rig.app, hostileRequests, () => send(rig.app, body)));
        }
        // The first round is a warm-up.
        if (round < 0) continue;
        honest.push(ofHonest);
        for (const [index, time] of ofHostile.entries()) hostile[index]?.push(time);
      }
      const base = median(honest);
      const ratios = bodies
        .map(({ what }, index) => ({ what, ratio: median(hostile[index] ?? []) / base }))
        .sort((one, other) => other.ratio - one.ratio);
      return [
        {
          figure: "CPU of the worst hostile body ÷ honest 6 MB creation",
          unit: "x",
          bound: "at most",
          target: 1,
          measured: ratios[0]?.ratio ?? 0,
          note: `honest ${base.toFixed(1)} ms; ${ratios.map(({ what, ratio }) => `${what} ${ratio.toFixed(2)}`).join("; ")}`,
        },
      ];
    } finally {
      await rig.stop();
    }
  },
};

/** CPU time per request, in milliseconds. */
async function measure(host: FunctionsHost, number: number, sendOne: () => Promise<void>): Promise<number> {
  const before = await cpuMicroseconds(host);
  for (let index = 0; index < number; index += 1) await sendOne();
  return ((await cpuMicroseconds(host)) - before) / 1000 / number;
}

async function honestCreation(): Promise<HostileBody> {
  const form = new FormData();
  form.set("livenessOperationMode", "Passive");
  form.set("deviceCorrelationId", randomUUID());
  form.set("verifyImage", new File([makeImage({ sizeInBytes: 6 * 1024 * 1024 })], "me.jpg", { type: "image/jpeg" }));
  const encoded = new Response(form);
  return {
    what: "an honest creation",
    method: "POST",
    path: "face/v1.2/detectLivenessWithVerify-sessions",
    headers: { "content-type": encoded.headers.get("content-type") ?? "" },
    body: Buffer.from(await encoded.bytes()),
  };
}

/** Sends a body. Throws unless the answer has the expected status, or a refusal's where none is given. */
async function send({ url }: FunctionsHost, body: HostileBody, expected?: number): Promise<void> {
  const { status, text } = await sendBody(url, body);
  const isExpected = expected === undefined ? refusals.has(status) : status === expected;
  if (!isExpected) throw new Error(`${body.what}: ${status} ${text}`);
}
