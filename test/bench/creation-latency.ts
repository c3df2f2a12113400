import { randomUUID } from "node:crypto";
import { type Figure, median, type Part, spread } from "./figures.ts";
import type { SeenRequest } from "./proxy.ts";
import { createSession, type Rig, send, startRig } from "./rig.ts";

const faceMs = 200;
const storageMs = 20;
/** Devices before the measurement, so that the app's code is compiled. */
const warmUps = 400;
const rounds = 40;

/** Most of a creation's own time, in milliseconds. */
const ownMs = 2.5;
/** Differences below this, in milliseconds, are noise of a run. */
const noiseMs = 0.5;

/** The kinds of creations. `trips` is the most sequential trips to storage. */
const kinds = {
  newDevice: { what: "new device", trips: 2 },
  withUser: { what: "new device, names a user", trips: 2 },
  elsewhere: { what: "device known to another process", trips: 4 },
  remembered: { what: "device known to the same process", trips: 2 },
} as const;
type Kind = keyof typeof kinds;

interface Sample {
  ms: number;
  /** Number of the sequential trips to storage that the caller waits for. */
  trips: number;
  /** Milliseconds of the same trips, sent by a raw HTTP client. */
  tripsMs: number;
}

/**
 * Own time of a creation: its latency for a caller on the same machine, through the functions host and the built app, less
 * that of an app that only forwards the call, and less its trips to storage as a raw HTTP client takes them. Every call to
 * the Face service takes 200 ms and every request to storage 20 ms. A known device takes more trips where another process
 * wrote the device's guard last, so there are two processes. All are measured in turn, so that the load of the machine
 * affects them alike.
 */
export const creationLatency: Part = {
  name: "latency",
  async run(report): Promise<Figure[]> {
    const rig = await startRig();
    try {
      const bare = await rig.startBareApp();
      const other = await rig.startApp(rig.appFolder);
      report(`opening sessions for ${warmUps} devices at full speed by each process`);
      for (let left = warmUps; left > 0; left -= 1) {
        const device = randomUUID();
        const fields = left % 2 === 0 ? aUser() : {};
        for (const app of [bare, rig.app, other, other]) await createSession(app, device, fields);
      }
      rig.face.delay(faceMs);
      for (const proxy of rig.storage) proxy.delay(storageMs);
      report(`opening sessions for ${rounds} devices`);
      const forwarded: number[] = [];
      const samples: Record<Kind, Sample[]> = { newDevice: [], withUser: [], elsewhere: [], remembered: [] };
      for (let round = 0; round < rounds; round += 1) {
        const device = randomUUID();
        forwarded.push((await measure(rig, () => createSession(bare, device))).ms);
        const pair: [Kind, () => Promise<unknown>][] = [
          ["withUser", () => createSession(rig.app, randomUUID(), aUser())],
          ["newDevice", () => createSession(rig.app, device)],
        ];
        // Neither of the two is always the first one.
        for (const [kind, create] of round % 2 === 0 ? pair : pair.toReversed()) {
          samples[kind].push(await measure(rig, create));
        }
        samples.elsewhere.push(await measure(rig, () => createSession(other, device)));
        samples.remembered.push(await measure(rig, () => createSession(other, device)));
      }
      const figures = Object.entries(kinds).flatMap(([kind, { what, trips }]) =>
        figuresOf(`creation, ${what}`, trips, samples[kind as Kind], median(forwarded)),
      );
      const differences = samples.withUser.map(({ ms }, round) => ms - (samples.newDevice[round]?.ms ?? 0));
      return [
        ...figures,
        {
          figure: "creation that names a user, less one that does not",
          ...{ unit: "ms", bound: "at most", target: noiseMs },
          measured: median(differences),
          note: `median of ${rounds} pairs; middle half ${spread(differences)} ms`,
        },
      ];
    } finally {
      await rig.stop();
    }
  },
};

function figuresOf(creation: string, trips: number, samples: readonly Sample[], forwarderMs: number): Figure[] {
  const all = samples.map(({ ms }) => ms);
  const tripsMs = median(samples.map((sample) => sample.tripsMs));
  return [
    {
      figure: `${creation}: own time`,
      ...{ unit: "ms", bound: "at most", target: ownMs },
      measured: median(all) - forwarderMs - tripsMs,
      note: `${median(all).toFixed(1)} ms (middle half ${spread(all)}), less forwarder ${forwarderMs.toFixed(1)} ms and trips ${tripsMs.toFixed(1)} ms`,
    },
    {
      figure: `${creation}: trips to storage`,
      ...{ unit: "trips", bound: "at most", target: trips },
      measured: median(samples.map((sample) => sample.trips)),
      note: `at most ${Math.max(...samples.map((sample) => sample.trips))}`,
    },
  ];
}

function aUser(): { userCorrelationId: string } {
  return { userCorrelationId: randomUUID() };
}

async function measure({ face, storage }: Rig, work: () => Promise<unknown>): Promise<Sample> {
  for (const proxy of [face, ...storage]) proxy.take();
  const ms = await timeOf(work);
  const calls = face.take();
  const requests = storage
    .flatMap((proxy) => proxy.take().map((request) => ({ ...request, url: new URL(request.path, proxy.url).href })))
    // A request beside a call to Face delays no answer.
    .filter((one) => !calls.some((call) => call.arrivedAt <= one.arrivedAt && one.answeredAt <= call.answeredAt));
  const trips = tripsOf(requests);
  const tripsMs = await timeOf(async () => {
    // Storage refuses these requests, which takes as long: the proxies answer after a fixed time.
    for (const trip of trips) await Promise.all(trip.map(({ url, body }) => send(url, body)));
  });
  return { ms, trips: trips.length, tripsMs };
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Requests by their place in the longest chain in which each request arrives after the answer of the one before. */
function tripsOf<Request extends SeenRequest>(requests: readonly Request[]): Request[][] {
  const trips: Request[][] = [];
  for (const request of requests.toSorted((one, other) => one.arrivedAt - other.arrivedAt)) {
    const before = trips.findLastIndex((trip) => trip.some(({ answeredAt }) => answeredAt <= request.arrivedAt));
    const trip = trips[before + 1];
    if (trip === undefined) trips.push([request]);
    else trip.push(request);
  }
  return trips;
}
