import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "../../infra/build.ts";

const root = resolve(import.meta.dirname, "../..");
/** The inputs of the build. */
const inputs = ["src", "infra", "host.json", "package.json", "package-lock.json"];

/** The deployable folder of the app, rebuilt where the sources are newer. Throws where the build fails. */
export async function ensureBuilt(): Promise<string> {
  const appFolder = join(root, "dist");
  const [built, changed] = await Promise.all([
    modifiedOn(join(appFolder, "main.cjs")),
    Promise.all(inputs.map((input) => newestIn(join(root, input)))).then((times) => Math.max(...times)),
  ]);
  if (changed >= built) {
    await build({ outFolder: appFolder });
  }
  return appFolder;
}

async function newestIn(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true }).catch(() => []);
  const times = await Promise.all([path, ...entries.map((entry) => join(path, entry))].map(modifiedOn));
  return Math.max(...times);
}

/** 0 where the file is missing. */
async function modifiedOn(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
}
