import { once } from "node:events";
import { get } from "node:http";
import { TableClient } from "@azure/data-tables";
import type { OutcomeEntry } from "../../src/liveness/model/events.ts";
import { connectStorage } from "../../src/storage/azure/table.ts";
import { createTableStores } from "../../src/storage/create-stores.ts";
import { writePlace } from "../../src/storage/rows/keys.ts";
import { heapProbeEnv, measureHeap } from "../api/support/heap-use.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { type Figure, median, type Part, spread } from "./figures.ts";

const outcomes = 100_000;
const days = 30;
const rounds = 3;
const batch = 4000;
const mebibyte = 1024 * 1024;
const dayMs = 86_400_000;

/**
 * The export of many outcomes over Azurite: its rate relative to that of the client library, which only reads the same rows,
 * and the growth of the app's heap.
 */
export const exportRate: Part = {
  name: "export",
  async run(report): Promise<Figure[]> {
    const stack = await startStack({ env: heapProbeEnv });
    try {
      report(`storing ${outcomes} outcomes of ${days} days`);
      await store(stack);
      const exported: number[] = [];
      const read: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        report(`round ${round + 1} of ${rounds}`);
        read.push(await perSecond(() => readAll(stack)));
        exported.push(await perSecond(() => exportAll(stack, "application/x-ndjson")));
      }
      const csv = await perSecond(() => exportAll(stack, "text/csv"));
      report("measuring the heap");
      const growth = await heapGrowth(stack);
      const rate = median(exported);
      return [
        {
          figure: "export: rate ÷ bare reading of the rows",
          unit: "x",
          bound: "at least",
          target: 0.7,
          measured: rate / median(read),
          note: `${rate.toFixed(0)} rows a second (middle half ${spread(exported, 0)}), bare ${median(read).toFixed(0)}; CSV ${csv.toFixed(0)}`,
        },
        {
          figure: "export: growth of the heap",
          unit: "MiB",
          bound: "at most",
          target: 32,
          measured: growth / mebibyte,
          note: `the most that was alive at any measurement during an export of ${outcomes} outcomes`,
        },
      ];
    } finally {
      await stack.stop();
    }
  },
};

async function store({ azurite }: Stack): Promise<void> {
  const { outcomeIndex } = createTableStores(connectStorage(azurite));
  const now = Date.now();
  for (let start = 0; start < outcomes; start += batch) {
    const numbers = Array.from({ length: Math.min(batch, outcomes - start) }, (_, index) => start + index);
    await outcomeIndex.put(
      numbers.map((number) => outcomeOf(number, now - (number + 1) * ((days * dayMs) / outcomes))),
    );
  }
}

function outcomeOf(number: number, createdMs: number): OutcomeEntry {
  const id = String(number).padStart(12, "0");
  const createdOn = new Date(createdMs).toISOString();
  return {
    creationId: `c0ffee00-0000-4000-8000-${id}`,
    createdOn,
    place: writePlace({ partition: `device-${id}`, idempotencyRowKey: `k_c0ffee00-0000-4000-8000-${id}` }),
    sessionId: `5e551011-0000-4000-8000-${id}`,
    kind: "livenessWithVerify",
    apiVersion: "v1.2",
    deviceCorrelationId: `device-${id}`,
    clientReferenceId: `order ${id}`,
    decision: "accepted",
    reasons: ["RealFace", "FaceMatched"],
    final: true,
    revision: 1,
    settledOn: createdOn,
  };
}

/** @param work returns the number of rows. */
async function perSecond(work: () => Promise<number>): Promise<number> {
  const start = performance.now();
  const rows = await work();
  const seconds = (performance.now() - start) / 1000;
  if (rows !== outcomes) throw new Error(`${rows} of ${outcomes} outcomes were read.`);
  return rows / seconds;
}

/** Reads all rows with the client library, in pages of the largest size. */
async function readAll({ azurite }: Stack): Promise<number> {
  const options = { allowInsecureConnection: true };
  const client = TableClient.fromConnectionString(azurite.connectionString, "outcomes", options);
  let rows = 0;
  for await (const page of client.listEntities().byPage({ maxPageSize: 1000 })) rows += page.length;
  return rows;
}

/** Returns the number of lines with outcomes. */
async function exportAll({ url }: Pick<Stack, "url">, accept: string): Promise<number> {
  const [response] = await once(get(`${url}/api/outcomes`, { headers: { accept }, agent: false }), "response");
  let lines = 0;
  for await (const chunk of response) {
    for (const byte of chunk as Buffer) lines += Number(byte === 10);
  }
  return accept === "text/csv" ? lines - 1 : lines;
}

/** Growth of the live heap during one export, over that after an earlier one, in bytes. */
async function heapGrowth({ app }: Stack): Promise<number> {
  const before = (await measureHeap(app)).bytes;
  let most = before;
  let isDone = false;
  const exporting = exportAll(app, "application/x-ndjson").finally(() => {
    isDone = true;
  });
  // Each measurement takes long, as it collects garbage several times.
  while (!isDone) most = Math.max(most, (await measureHeap(app)).bytes);
  await exporting;
  return most - before;
}
