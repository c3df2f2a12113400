import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";

const compress = promisify(brotliCompress);

const pageFolder = resolve(import.meta.dirname, "../src/docs");

/**
 * The files of the page about the API, by name: our own, and those of the viewer, where that is installed. Browsers take
 * them as they are, compressed; the licences, which go with the viewer, are for people.
 */
export async function readReferencePage(): Promise<Map<string, Uint8Array>> {
  const viewer = viewerFolder();
  if (viewer === undefined) return new Map();
  const served = [
    join(pageFolder, "page.html"),
    join(pageFolder, "start.js"),
    join(viewer, "swagger-ui.css"),
    join(viewer, "swagger-ui-bundle.js"),
  ];
  const licences = ["LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"].map((name) => join(viewer, name));
  const [compressed, texts] = await Promise.all([
    Promise.all(served.map(async (path) => compress(await readFile(path)))),
    Promise.all(licences.map((path) => readFile(path, "utf8"))),
  ]);
  return new Map([
    ...served.map((path, index) => [`${basename(path)}.br`, compressed[index] ?? new Uint8Array()] as const),
    ["swagger-ui.LICENSE.txt", Buffer.from(texts.join("\n\n"))],
  ]);
}

function viewerFolder(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
  } catch {
    return undefined;
  }
}
