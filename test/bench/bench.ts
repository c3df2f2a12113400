import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { StackError } from "../local/child.ts";
import { fail, print } from "../local/terminal.ts";
import { creationCpu } from "./creation-cpu.ts";
import { creationLatency } from "./creation-latency.ts";
import { exportRate } from "./export-rate.ts";
import { type Figure, formatTable, isMet } from "./figures.ts";
import { firstAnswer } from "./first-answer.ts";
import { hostileBodyCpu } from "./hostile-bodies.ts";
import { loadTime } from "./load-time.ts";
import { sessionRequests } from "./session-requests.ts";
import { slowWebhooks } from "./slow-webhooks.ts";
import { timerRate } from "./timer-rate.ts";

/**
 * `npm run bench [-- <part> …] [--sessions N]`: measures the figures that have targets, prints them as a table, and writes
 * them to `bench/results.json`. Parts: latency, requests, webhooks, cpu, bodies, load, start, timer, export. `--sessions` is the number of due
 * sessions of the timer part (default 100,000). A missed target is no failure.
 */
const resultsFile = resolve(import.meta.dirname, "../../bench/results.json");

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { sessions: { type: "string", default: "100000" } },
  });
  const sessions = Number(values.sessions);
  if (!Number.isInteger(sessions) || sessions < 1) throw new StackError("--sessions must be a whole number from 1.");
  const parts = [
    creationLatency,
    sessionRequests,
    slowWebhooks,
    creationCpu,
    hostileBodyCpu,
    loadTime,
    firstAnswer,
    timerRate(sessions),
    exportRate,
  ];
  const names = parts.map(({ name }) => name);
  const unknown = positionals.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new StackError(`There is no part "${unknown}". Parts: ${names.join(", ")}.`);

  const startedOn = new Date().toISOString();
  const measured: { part: string; figures: Figure[] }[] = [];
  for (const part of parts) {
    if (positionals.length > 0 && !positionals.includes(part.name)) continue;
    const figures = await part.run((progress) => process.stderr.write(`${part.name}: ${progress}\n`));
    measured.push({ part: part.name, figures });
  }
  print(formatTable(measured.flatMap(({ figures }) => figures)));
  await mkdir(dirname(resultsFile), { recursive: true });
  const results = {
    startedOn,
    machine: { node: process.version, platform: process.platform, architecture: process.arch, cores: cpus().length },
    parts: measured.map(({ part, figures }) => ({
      part,
      figures: figures.map((figure) => ({ ...figure, met: isMet(figure) })),
    })),
  };
  await writeFile(resultsFile, `${JSON.stringify(results, undefined, 2)}\n`);
  process.exit();
} catch (error) {
  fail(error);
}
