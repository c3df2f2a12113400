import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "../../infra/build.ts";

const root = resolve(import.meta.dirname, "../..");
/** What the build is made from. */
const inputs = ["src", "infra", "host.json", "package.json", "package-lock.json"];

/** The deployable folder of the app, built anew where the sources are newer. Throws where they do not bundle. */
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

/** 0 where there is no such file. */
async function modifiedOn(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
}
