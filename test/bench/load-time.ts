import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "../../infra/build.ts";
import { type Figure, median, type Part, spread } from "./figures.ts";

const rounds = 31;
const run = promisify(execFile);

/** Settings of an app in production. Loading sends no request to them. */
const settings = {
  FACE_ENDPOINT: "https://127.0.0.1",
  FACE_KEY: "a-key",
  AzureWebJobsStorage: "UseDevelopmentStorage=true",
};

/**
 * Time that the worker takes to load the app's main file, relative to that for an app with one empty function from the same
 * build, each time in a new process, in alternating rounds. And the size of the deployed package.
 */
export const loadTime: Part = {
  name: "load",
  async run(report): Promise<Figure[]> {
    const folder = await mkdtemp(join(tmpdir(), "bench-"));
    try {
      const fixture = (name: string) => join(import.meta.dirname, "fixtures", name);
      const app = await build({ outFolder: join(folder, "app") });
      const empty = await build({ entry: fixture("empty-app.ts"), outFolder: join(folder, "empty-app") });
      const probe = await build({
        entry: join(import.meta.dirname, "load-probe.ts"),
        outFolder: join(folder, "probe"),
      });
      const load = (appFolder: string) => loadOnce(join(probe.outFolder, "main.cjs"), join(appFolder, "main.cjs"));

      report(`loading each app in ${rounds} fresh processes`);
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        ours.push(await load(app.outFolder));
        theirs.push(await load(empty.outFolder));
      }
      const deployed = await contentsOf(app.outFolder);
      return [
        {
          figure: "load time ÷ app with one empty function",
          unit: "x",
          bound: "at most",
          target: 1.5,
          measured: median(ours) / median(theirs),
          note: `${summarise(ours)} beside ${summarise(theirs)}`,
        },
        {
          figure: "deployed package",
          unit: "MB",
          bound: "at most",
          target: 2.2,
          measured: deployed.bytes / 1e6,
          note: `${deployed.files.length} files`,
        },
        {
          figure: "deployed files from node_modules",
          unit: "files",
          bound: "at most",
          target: 0,
          measured: deployed.files.filter((file) => file.includes("node_modules")).length,
        },
      ];
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  },
};

async function loadOnce(probe: string, main: string): Promise<number> {
  const { stdout } = await run(process.execPath, [probe, main], { env: { PATH: process.env.PATH, ...settings } });
  const milliseconds = Number(stdout);
  if (!(milliseconds > 0)) throw new Error(`The app did not load: ${stdout}`);
  return milliseconds;
}

async function contentsOf(folder: string): Promise<{ files: string[]; bytes: number }> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return { files, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

function summarise(rounds: readonly number[]): string {
  return `${median(rounds).toFixed(1)} ms (middle half ${spread(rounds)})`;
}
