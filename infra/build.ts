import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build as bundle, type Metafile, type OutputFile, type Plugin, transform } from "esbuild";
import { z } from "zod";
import { leaveOut } from "./leave-out.ts";
import { readReferencePage } from "./reference-page.ts";

const root = resolve(import.meta.dirname, "..");

const projectManifest = z.object({ name: z.string(), version: z.string(), description: z.string().optional() });

export interface BuildOptions {
  /** What is bundled. Default: `src/main.ts`. */
  entry?: string;
  /** The deployable folder. Default: `dist`. */
  outFolder?: string;
  /** Where the source maps go: never into the deployable folder. Default: `{outFolder}-maps`. */
  mapFolder?: string;
  /**
   * Removes what earlier builds have left, even if it is young. Default false: an app that runs from the folder may
   * still come for a file of its own that it loads late.
   */
  clean?: boolean;
}

export interface BuildResult {
  outFolder: string;
  /** Names of the files that were made. */
  files: string[];
  /** Their size in bytes. */
  bytes: number;
}

/** A file of an earlier build stays for so long. */
const graceMs = 3_600_000;

/**
 * Makes the deployable folder: main.cjs with what an instance needs to begin, a file for each part that is loaded later
 * (wherever the sources say `import()`) and for what such parts share, host.json, and a package.json whose `main` names
 * the first. All are CommonJS, which loads fastest. Files are put in place by renaming, so that an app that starts during
 * a build reads either the old or the new ones. Throws where the sources do not bundle.
 */
export async function build(options: BuildOptions = {}): Promise<BuildResult> {
  const entry = options.entry ?? join(root, "src/main.ts");
  const outFolder = resolve(options.outFolder ?? join(root, "dist"));
  const mapFolder = resolve(options.mapFolder ?? `${outFolder}-maps`);

  // Compressing takes its time, in threads of its own.
  const referencePage = options.entry === undefined ? readReferencePage() : Promise.resolve([]);
  // Only ES modules can be split, so the parts are made as such and turned into CommonJS one by one.
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
    // The host provides it to the worker's own `require`; no package of that name exists.
    external: ["@azure/functions-core"],
    plugins: [evaluateRegistrations, leaveOut(options.entry === undefined)],
    // Some libraries have ES modules beside CommonJS and name them only so; of these, what is not used can be left out.
    mainFields: ["module", "main"],
    // storage-blob asks for it, and CommonJS has none.
    define: { "import.meta.url": "__importMetaUrl" },
    logLevel: "silent",
  });

  const manifest = projectManifest.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
  const files = new Map<string, string | Uint8Array>([
    ["host.json", await readFile(join(root, "host.json"))],
    ["package.json", `${JSON.stringify({ ...manifest, private: true, main: "main.cjs" }, undefined, 2)}\n`],
    ...(await referencePage),
  ]);
  await mkdir(outFolder, { recursive: true });
  await mkdir(mapFolder, { recursive: true });
  // `main` comes last: what it asks for is there by then.
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

/** Whether a good part of a file is our own code, and not a few lines before a library. */
function isOwn({ path }: OutputFile, { outputs }: Metafile): boolean {
  const made = Object.entries(outputs).find(([name]) => basename(name) === basename(path))?.[1];
  const inputs = Object.entries(made?.inputs ?? {}).map(([name, { bytesInOutput }]) => ({ name, bytesInOutput }));
  const bytesOf = (list: typeof inputs) => list.reduce((sum, { bytesInOutput }) => sum + bytesInOutput, 0);
  return bytesOf(inputs.filter(({ name }) => !name.startsWith("node_modules/"))) > bytesOf(inputs) / 10;
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
    // In our own code identifiers stay whole: a stack trace from the cloud must be readable without the source map.
    minifyIdentifiers: !own,
    lineLimit: 160,
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    ...(text.includes("__importMetaUrl") && {
      banner: 'const __importMetaUrl=require("node:url").pathToFileURL(__filename).href;',
    }),
  });
}

/** Puts what `src/registrations.ts` exports into the bundle as plain data, in place of all that it is made from. */
const evaluateRegistrations: Plugin = {
  name: "evaluateRegistrations",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]registrations\.ts$/ }, async ({ path }) => {
      const { outputFiles } = await bundle({
        entryPoints: [path],
        bundle: true,
        write: false,
        platform: "node",
        format: "esm",
        // Libraries in CommonJS ask for Node's own modules by it, and an ES module has none.
        banner: {
          js: `import { createRequire } from "node:module"; const require = createRequire(${JSON.stringify(path)});`,
        },
        logLevel: "silent",
      });
      const [code] = outputFiles;
      const values: object = await import(
        `data:text/javascript;base64,${Buffer.from(code?.contents ?? []).toString("base64")}`
      );
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

/** On Windows no file can be replaced while another process reads it, be that an app that starts or a virus scanner. */
function isInUse(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return process.platform === "win32" && (code === "EPERM" || code === "EACCES" || code === "EBUSY");
}

if (import.meta.main) {
  try {
    const { outFolder, files, bytes } = await build({ clean: true });
    process.stdout.write(`${outFolder}: ${files.length} files, ${Math.round(bytes / 1024)} KiB\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
