import type { Plugin } from "esbuild";

/** A module of a library that the bundle replaces. */
interface Stub {
  /** End of the import's path, with slashes. */
  path: string;
  /** Package of the importing module, where other packages have modules of the same name. */
  importer?: string;
  reason: string;
  contents: string | (() => Promise<string>);
}

const throwNotIncluded = (name: string) => `throw new Error("${name} is not part of this build");`;

const throwingFunction = (name: string) => `export function ${name}() { ${throwNotIncluded(name)} }`;

/** A value of a module that its package does not export, as an export. */
async function exportValue(packageName: string, path: string, name: string): Promise<string> {
  const module: object = await import(new URL(path, import.meta.resolve(packageName)).href);
  return `export const ${name} = ${JSON.stringify(Object.entries(module).find(([key]) => key === name)?.[1])};`;
}

/** Loads the library with the first proxy. */
const lazyAgent = (name: string, library: string) => `
  export class ${name} {
    constructor(...options) { return new (require("${library}").${name})(...options); }
  }`;

/** The build fails if one of them is not imported: then a library has changed, and the stub must be reviewed. */
const stubs: readonly Stub[] = [
  {
    path: "https-proxy-agent",
    reason: "every start would load it with its logger, and few deployments have a proxy",
    contents: lazyAgent("HttpsProxyAgent", "https-proxy-agent"),
  },
  {
    path: "http-proxy-agent",
    reason: "every start would load it, and few deployments have a proxy",
    contents: lazyAgent("HttpProxyAgent", "http-proxy-agent"),
  },
  {
    path: "apache-arrow",
    reason: "storage-blob uses it for blob lists in Arrow format, which the app does not request",
    contents: throwingFunction("tableFromIPC"),
  },
  {
    path: "/crc64.js",
    reason: "80 KB of WebAssembly for checksums of storage-blob, which the app does not request",
    contents: `export default function () { ${throwNotIncluded("crc64")} }`,
  },
  {
    path: "/json-schema-processors.js",
    reason: "zod's conversion to JSON Schema, which only the build uses",
    contents: ["toJSONSchema", "allProcessors", "aggregateChecks"].map(throwingFunction).join("\n"),
  },
  {
    path: "/to-json-schema.js",
    reason: "methods of zod's schemas for the same conversion",
    contents: [
      ...["createToJSONSchemaMethod", "createStandardJSONSchemaMethod"],
      ...["initializeContext", "processSchema", "extractDefs", "finalize"],
    ]
      .map(throwingFunction)
      .join("\n"),
  },
  {
    path: "/models/mappers.js",
    importer: "@azure/eventgrid",
    reason: "150 KB of shapes of the events of other services, which the app does not receive",
    // The library's reader of events imports both. It is not bundled, since the app does not use it.
    contents: async () => `${await exportValue("@azure/eventgrid", "generated/models/mappers.js", "CloudEvent")}
      export const EventGridEvent = undefined;`,
  },
  {
    path: "_configuration/configurationManager.js",
    reason: "the Azure Monitor exporter would fetch its configuration from a Microsoft service every hour",
    contents: `const manager = { initialize() {}, registerCallback() {}, shutdown() {} };
      export class ConfigurationManager { static getInstance() { return manager; } }`,
  },
  {
    path: "statsbeat/statsbeatManager.js",
    reason: "the exporter would send usage data to Microsoft; only the operator's resource may receive telemetry",
    contents: `const manager = new Proxy({}, { get: () => async () => {} });
      export class StatsbeatManager { static getInstance() { return manager; } }`,
  },
  {
    path: "statsbeat/customerSDKStats.js",
    reason: "the exporter's metrics about itself, for which the operator would pay",
    contents: "export class CustomerSDKStatsMetrics { static async getInstance() {} }",
  },
];

/** Replaces the modules above. With `expectAll`, the build fails if one of them is not imported. */
export function stubDependencies(expectAll: boolean): Plugin {
  return {
    name: "stubDependencies",
    setup({ onResolve, onLoad, onEnd }) {
      const imported = new Set<string>();
      onResolve({ filter: /^apache-arrow$|^https?-proxy-agent$|\.js$/ }, ({ path, namespace, importer }) => {
        // A stub may load the module that it replaces.
        if (namespace === "stub") return undefined;
        const stub = stubs.find(
          (candidate) =>
            (path === candidate.path || path.endsWith(candidate.path)) &&
            importer.replaceAll("\\", "/").includes(candidate.importer ?? ""),
        );
        if (stub === undefined) return undefined;
        imported.add(stub.path);
        return { path: stub.path, namespace: "stub", sideEffects: false };
      });
      onLoad({ filter: /.*/, namespace: "stub" }, async ({ path }) => {
        const contents = stubs.find((stub) => stub.path === path)?.contents ?? "";
        return {
          contents: typeof contents === "string" ? contents : await contents(),
          resolveDir: import.meta.dirname,
        };
      });
      onEnd(() => {
        const unused = expectAll ? stubs.filter(({ path }) => !imported.has(path)) : [];
        return {
          errors: unused.map(({ path, reason }) => ({ text: `No library imports ${path} any more (${reason})` })),
        };
      });
    },
  };
}
