import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { build as bundle } from "esbuild";
import { z } from "zod";

const root = resolve(import.meta.dirname, "..");

const projectManifest = z.object({ name: z.string(), version: z.string(), description: z.string().optional() });

export interface BuildOptions {
  /** What is bundled. Default: `src/main.ts`. */
  entry?: string;
  /** The deployable folder. Default: `dist`. */
  outFolder?: string;
  /** Where the source map goes: never into the deployable folder. Default: `{outFolder}-maps`. */
  mapFolder?: string;
}

export interface BuildResult {
  outFolder: string;
  /** Size of the bundle in bytes. */
  bytes: number;
}

/**
 * Makes the deployable folder: one CommonJS bundle, host.json, and a package.json whose `main` names the bundle.
 * Files are put in place by renaming, so that an app that starts during a build reads either the old or the new one.
 * Throws where the sources do not bundle.
 */
export async function build(options: BuildOptions = {}): Promise<BuildResult> {
  const entry = options.entry ?? join(root, "src/main.ts");
  const outFolder = resolve(options.outFolder ?? join(root, "dist"));
  const mapFolder = resolve(options.mapFolder ?? `${outFolder}-maps`);

  const result = await bundle({
    entryPoints: [entry],
    outfile: join(outFolder, "main.cjs"),
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node24",
    // Identifiers stay whole and lines short: a stack trace from the cloud must be readable without the source map.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    // The host provides it to the worker's own `require`; no package of that name exists.
    external: ["@azure/functions-core"],
    // storage-blob asks for it, and CommonJS has none.
    banner: { js: 'const __importMetaUrl=require("node:url").pathToFileURL(__filename).href;' },
    define: { "import.meta.url": "__importMetaUrl" },
    logLevel: "silent",
  });

  const manifest = projectManifest.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
  const files = new Map<string, string | Uint8Array>([
    ["host.json", await readFile(join(root, "host.json"))],
    ["package.json", `${JSON.stringify({ ...manifest, private: true, main: "main.cjs" }, undefined, 2)}\n`],
  ]);
  await mkdir(outFolder, { recursive: true });
  await mkdir(mapFolder, { recursive: true });
  let bytes = 0;
  for (const file of result.outputFiles) {
    const name = basename(file.path);
    if (name.endsWith(".map")) {
      await replaceFile(mapFolder, name, file.contents);
    } else {
      files.set(name, file.contents);
      bytes += file.contents.byteLength;
    }
  }
  for (const [name, content] of files) {
    await replaceFile(outFolder, name, content);
  }
  for (const name of await readdir(outFolder)) {
    if (!files.has(name) && !name.endsWith(".tmp")) {
      await rm(join(outFolder, name), { recursive: true, force: true });
    }
  }
  return { outFolder, bytes };
}

async function replaceFile(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(folder, `.${name}.${process.pid}.tmp`);
  await writeFile(temporary, content);
  await rename(temporary, join(folder, name));
}

if (import.meta.main) {
  try {
    const { outFolder, bytes } = await build();
    process.stdout.write(`${outFolder}: main.cjs, ${Math.round(bytes / 1024)} KiB\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
