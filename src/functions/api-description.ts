import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import * as z from "zod";
import type { App } from "../app.ts";
import { defineEndpoint, type Endpoint, noParams, noQuery, resourceNotFound } from "../http/endpoint.ts";
import type { Reply } from "../http/responses.ts";

/** What the reference page loads, by its type. The build puts these files beside the code, compressed. */
const assets = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "start.js": "text/javascript; charset=utf-8",
} as const;
type Asset = keyof typeof assets;

const assetNames = Object.keys(assets).filter((name): name is Asset => name in assets);
const assetParams = z.object({ asset: z.enum(assetNames) });

/** Everything comes from here, and nothing is written into the page but by the viewer's own script. */
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

const common = { methods: ["GET"], access: "everyone", query: noQuery } satisfies Partial<Endpoint>;

/** The API's description, and a page to read it on. `described` are all operations, these among them. */
export function apiDescriptionEndpoints(described: () => readonly Endpoint[]): Endpoint[] {
  return [
    defineEndpoint({
      ...common,
      name: "getApiDescription",
      summary: "Read the description of this API in the words of OpenAPI",
      route: "api/openapi.json",
      params: noParams,
      describe: () => ({
        answers: {
          200: {
            description: "An OpenAPI document.",
            json: z.looseObject({ openapi: z.string().regex(/^3\.1\.\d$/) }),
          },
        },
      }),
      async handle(app) {
        const bytes = await documentOf(app, described());
        return { status: 200, bytes, headers: { "content-type": "application/json; charset=utf-8" } };
      },
    }),
    defineEndpoint({
      ...common,
      name: "getApiReference",
      summary: "Read about this API on a page",
      route: "api/docs",
      params: noParams,
      describe: () => ({ answers: { 200: { description: "The page.", bytes: ["text/html"] } } }),
      handle: async (_app, { headers }) =>
        fileReply("page.html", "text/html; charset=utf-8", headers, { "content-security-policy": pagePolicy }),
    }),
    defineEndpoint({
      ...common,
      name: "getApiReferenceAsset",
      summary: "Get a script or style of the page about this API",
      route: "api/docs/{asset}",
      params: assetParams,
      describe: () => ({
        answers: { 200: { description: "The file.", bytes: ["text/css", "text/javascript"] } },
        errors: { 404: ["ResourceNotFound"] },
      }),
      handle: async (_app, { params, headers }) => fileReply(params.asset, assets[params.asset], headers),
    }),
  ];
}

const documents = new WeakMap<App, Promise<Uint8Array>>();

/** The document of an app, made when it is first asked for. */
function documentOf(app: App, endpoints: readonly Endpoint[]): Promise<Uint8Array> {
  const known = documents.get(app);
  if (known !== undefined) return known;
  const made = makeDocument(app, endpoints);
  documents.set(app, made);
  return made;
}

async function makeDocument({ config }: App, endpoints: readonly Endpoint[]): Promise<Uint8Array> {
  const [{ describeApi }, { examples }, { default: manifest }] = await Promise.all([
    import("../http/openapi.ts"),
    import("./examples.ts"),
    import("../../package.json", { with: { type: "json" } }),
  ]);
  const deployment = {
    upstream: config.face.apiVersion,
    allowDeviceSetInClient: config.policy.allowDeviceSetInClient,
    allowAnonymous: config.callers.allowAnonymous,
  };
  return Buffer.from(JSON.stringify(describeApi(endpoints, { deployment, version: manifest.version, examples })));
}

const decompress = promisify(brotliDecompress);

/** @throws ApiError 404 where the app was built without the files. */
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
