import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { build as bundle, type Metafile, type OutputFile, type Plugin, transform } from "esbuild";
import { z } from "zod";
import { createDescriptionFiles } from "./description-files.ts";
import { stubDependencies } from "./stub-dependencies.ts";

const root = resolve(import.meta.dirname, "..");

const projectManifest = z.object({ name: z.string(), version: z.string(), description: z.string().optional() });

export interface BuildOptions {
  /** Entry point of the bundle. Default: `src/main.ts`. */
  entry?: string;
  /** The deployable folder. Default: `dist`. */
  outFolder?: string;
  /** Folder of the source maps, which are not deployed. Default: `{outFolder}-maps`. */
  mapFolder?: string;
  /**
   * Removes files of earlier builds immediately. Default false: an app that is running from the folder may still load one
   * of its chunks.
   */
  clean?: boolean;
}

export interface BuildResult {
  outFolder: string;
  /** Names of the written files. */
  files: string[];
  /** Total size of the files. */
  bytes: number;
}

/** Age after which files of earlier builds are removed. */
const graceMs = 3_600_000;

/**
 * Builds the deployable folder: main.cjs with the code for the start of an instance, one chunk for each `import()` and for
 * the code that chunks share, host.json, and a package.json whose `main` is main.cjs. The code is CommonJS, which loads
 * fastest. Files are replaced by renaming, so that an app that starts during a build reads either the old or the new
 * files. Throws if bundling fails.
 */
export async function build(options: BuildOptions = {}): Promise<BuildResult> {
  const entry = options.entry ?? join(root, "src/main.ts");
  const outFolder = resolve(options.outFolder ?? join(root, "dist"));
  const mapFolder = resolve(options.mapFolder ?? `${outFolder}-maps`);

  const manifest = projectManifest.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
  // Started first: compression is slow and runs in other threads.
  const descriptionFiles = options.entry === undefined ? createDescriptionFiles(manifest.version) : Promise.resolve([]);
  // esbuild can split only ES modules, so the chunks are built as such and converted to CommonJS one by one.
  const { outputFiles, metafile } = await bundle({
    entryPoints: { main: entry },
    outdir: outFolder,
    outExtension: { ".js": ".cjs" },
    chunkNames: "[name]-[hash]",
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    metafile: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node24",
    legalComments: "none",
    sourcemap: "inline",
    sourcesContent: false,
    // Provided by the worker's `require`; no package of this name exists.
    external: ["@azure/functions-core"],
    plugins: [evaluateRegistrations, stubDependencies(options.entry === undefined)],
    // Some libraries declare their ES modules only in `module`; unused code of ES modules can be dropped.
    mainFields: ["module", "main"],
    // storage-blob uses it, and CommonJS does not support it.
    define: { "import.meta.url": "__importMetaUrl" },
    logLevel: "silent",
  });

  const files = new Map<string, string | Uint8Array>([
    ["host.json", await readFile(join(root, "host.json"))],
    ["package.json", `${JSON.stringify({ ...manifest, private: true, main: "main.cjs" }, undefined, 2)}\n`],
    ...(await descriptionFiles),
  ]);
  await mkdir(outFolder, { recursive: true });
  await mkdir(mapFolder, { recursive: true });
  // `main` is written last, after the chunks that it loads.
  for (const output of outputFiles.toSorted((one, other) => Number(isMain(one)) - Number(isMain(other)))) {
    const name = basename(output.path);
    const { code, map } = await toCommonJs(output, isOwn(output, metafile));
    await replaceFile(mapFolder, `${name}.map`, map);
    files.set(name, code);
  }
  for (const [name, content] of files) {
    await replaceFile(outFolder, name, content);
  }
  await removeOthers(outFolder, new Set(files.keys()), options.clean ? 0 : graceMs);
  await removeOthers(mapFolder, new Set([...files.keys()].map((name) => `${name}.map`)), options.clean ? 0 : graceMs);
  const bytes = [...files.values()].reduce((sum, content) => sum + Buffer.byteLength(content), 0);
  return { outFolder, files: [...files.keys()], bytes };
}

function isMain({ path }: OutputFile): boolean {
  return basename(path) === "main.cjs";
}

/** Whether more than an eighth of a file is the app's own code. */
function isOwn({ path }: OutputFile, { outputs }: Metafile): boolean {
  const made = Object.entries(outputs).find(([name]) => basename(name) === basename(path))?.[1];
  const inputs = Object.entries(made?.inputs ?? {}).map(([name, { bytesInOutput }]) => ({ name, bytesInOutput }));
  const bytesOf = (list: typeof inputs) => list.reduce((sum, { bytesInOutput }) => sum + bytesInOutput, 0);
  return bytesOf(inputs.filter(({ name }) => !name.startsWith("node_modules/"))) > bytesOf(inputs) / 8;
}

async function toCommonJs({ path, text }: OutputFile, own: boolean): Promise<{ code: string; map: string }> {
  return transform(text, {
    sourcefile: basename(path),
    format: "cjs",
    platform: "node",
    target: "node24",
    supported: { "dynamic-import": false },
    minifyWhitespace: true,
    minifySyntax: true,
    // The app's own identifiers are kept, so that stack traces are readable without source maps.
    minifyIdentifiers: !own,
    // Short lines make positions in stack traces useful; in libraries they would only cost bytes.
    ...(own && { lineLimit: 160 }),
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    ...(text.includes("__importMetaUrl") && {
      banner: 'const __importMetaUrl=require("node:url").pathToFileURL(__filename).href;',
    }),
  });
}

/** Replaces `src/registrations.ts` by its exports as plain data, so that the bundle's entry loads no endpoints. */
const evaluateRegistrations: Plugin = {
  name: "evaluateRegistrations",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]registrations\.ts$/ }, async ({ path }) => {
      const values: object = await import(pathToFileURL(path).href);
      const written = Object.entries(values).map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};`);
      return { contents: written.join("\n"), loader: "js" };
    });
  },
};

/** Removes all files of a folder that are not `kept` and older than `graceMs`. */
async function removeOthers(folder: string, kept: ReadonlySet<string>, graceMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (kept.has(name) || name.endsWith(".tmp")) continue;
    const { mtimeMs } = await stat(join(folder, name));
    if (Date.now() - mtimeMs >= graceMs) await rm(join(folder, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

async function replaceFile(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(folder, `.${name}.${process.pid}.tmp`);
  await writeFile(temporary, content);
  for (let tries = 1; ; tries += 1) {
    try {
      return await rename(temporary, join(folder, name));
    } catch (error) {
      if (tries === 10 || !isInUse(error)) throw error;
      await sleep(tries * 50);
    }
  }
}

/** On Windows, a file cannot be replaced while another process, such as a virus scanner, reads it. */
function isInUse(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return process.platform === "win32" && (code === "EPERM" || code === "EACCES" || code === "EBUSY");
}

// `import.meta.main` is missing in Node.js 24.0, the version for one of the platforms.
if (basename(process.argv[1] ?? "") === "build.ts") {
  try {
    const { outFolder, files, bytes } = await build({ clean: true });
    process.stdout.write(`${outFolder}: ${files.length} files, ${Math.round(bytes / 1024)} KiB\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
