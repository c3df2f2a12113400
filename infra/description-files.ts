import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";
import { endpoints } from "../src/endpoints.ts";
import { describeApi } from "./openapi/document.ts";

const compress = promisify(brotliCompress);

const pageFolder = resolve(import.meta.dirname, "../src/docs");

/**
 * The files that `src/functions/api-description.ts` serves, by name, compressed with Brotli: the OpenAPI document, and, if
 * the viewer is installed, the page that displays it. The viewer's licences are added as text.
 *
 * @param version of the app.
 */
export async function createDescriptionFiles(version: string): Promise<Map<string, Uint8Array>> {
  const document = await compress(JSON.stringify(describeApi(endpoints, version)));
  return new Map([["openapi.json.br", document], ...(await readReferencePage())]);
}

async function readReferencePage(): Promise<Map<string, Uint8Array>> {
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
