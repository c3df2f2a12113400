import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import * as z from "zod";
import { defineEndpoint, type Endpoint, resourceNotFound } from "../http/endpoint.ts";
import type { Reply } from "../http/responses.ts";

/** Files that the reference page loads, with their types. The build writes them beside the code, compressed. */
const assets = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "start.js": "text/javascript; charset=utf-8",
} as const;
type Asset = keyof typeof assets;

const assetNames = Object.keys(assets).filter((name): name is Asset => name in assets);
const assetParams = z.object({ asset: z.enum(assetNames) });

/** The page loads from its own origin only, and has no inline script or style. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const common = { methods: ["GET"], access: "everyone" } satisfies Partial<Endpoint>;

/** The OpenAPI document, which the build generates, and a page that displays it. */
export const apiDescriptionEndpoints: Endpoint[] = [
  defineEndpoint({
    ...common,
    name: "getApiDescription",
    summary: "Read the OpenAPI document of this API",
    route: "api/openapi.json",
    handle: async (_app, { headers }) => fileReply("openapi.json", "application/json; charset=utf-8", headers),
  }),
  defineEndpoint({
    ...common,
    name: "getApiReference",
    summary: "Read the documentation of this API as a page",
    route: "api/docs",
    handle: async (_app, { headers }) =>
      fileReply("page.html", "text/html; charset=utf-8", headers, { "content-security-policy": pagePolicy }),
  }),
  defineEndpoint({
    ...common,
    name: "getApiReferenceAsset",
    summary: "Get a script or style of the documentation page",
    route: "api/docs/{asset}",
    params: assetParams,
    handle: async (_app, { params, headers }) => fileReply(params.asset, assets[params.asset], headers),
  }),
];

const decompress = promisify(brotliDecompress);

/** @throws ApiError 404 if the build did not include the file. */
async function fileReply(
  name: string,
  contentType: string,
  requestHeaders: Headers,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const packed = await readFile(new URL(`./${name}.br`, import.meta.url)).catch(() => {
    throw resourceNotFound();
  });
  const takesBrotli = /(^|[\s,])br(?!\s*;\s*q=0(\.0*)?\s*(,|$))\s*(;|,|$)/i.test(
    requestHeaders.get("accept-encoding") ?? "",
  );
  return {
    status: 200,
    bytes: takesBrotli ? packed : await decompress(packed),
    headers: {
      ...headers,
      "content-type": contentType,
      vary: "accept-encoding",
      ...(takesBrotli && { "content-encoding": "br" }),
    },
  };
}
