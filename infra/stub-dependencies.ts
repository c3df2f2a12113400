import type { Plugin } from "esbuild";

/** A part of a library that the app must do without, and what stands there instead. */
interface LeftOut {
  /** What the library imports: the end of it, with slashes. */
  path: string;
  why: string;
  contents: string;
}

const calledByNobody = (name: string) => `throw new Error("${name} is not part of this build");`;

const exportOfNothing = (name: string) => `export function ${name}() { ${calledByNobody(name)} }`;

/** Each must be asked for by the build: else a library has changed, and what is written here is no longer so. */
const parts: readonly LeftOut[] = [
  {
    path: "apache-arrow",
    why: "storage-blob loads it for lists of blobs in Arrow's format, which nobody here asks for",
    contents: `export function tableFromIPC() { ${calledByNobody("apache-arrow")} }`,
  },
  {
    path: "/crc64.js",
    why: "storage-blob's checksums of a kind that nobody here asks for: 80 KB of WebAssembly",
    contents: `export default function () { ${calledByNobody("crc64")} }`,
  },
  {
    path: "/json-schema-processors.js",
    why: "zod's conversion to JSON Schema, which only the build uses",
    contents: ["toJSONSchema", "allProcessors", "aggregateChecks"].map(exportOfNothing).join("\n"),
  },
  {
    path: "/to-json-schema.js",
    why: "the same conversion, which every schema can be asked for",
    contents: [
      ...["createToJSONSchemaMethod", "createStandardJSONSchemaMethod"],
      ...["initializeContext", "processSchema", "extractDefs", "finalize"],
    ]
      .map(exportOfNothing)
      .join("\n"),
  },
  {
    path: "_configuration/configurationManager.js",
    why: "the Azure Monitor exporter would ask a service of Microsoft's, every hour, what it shall do",
    contents: `const manager = { initialize() {}, registerCallback() {}, shutdown() {} };
      export class ConfigurationManager { static getInstance() { return manager; } }`,
  },
  {
    path: "statsbeat/statsbeatManager.js",
    why: "the exporter would tell Microsoft of its own use; only the operator's resource is told anything",
    contents: `const manager = new Proxy({}, { get: () => async () => {} });
      export class StatsbeatManager { static getInstance() { return manager; } }`,
  },
  {
    path: "statsbeat/customerSDKStats.js",
    why: "the exporter's measurements of itself, which the operator would pay for",
    contents: "export class CustomerSDKStatsMetrics { static async getInstance() {} }",
  },
];

/** Replaces the parts above. Fails the build where one of them was not met, if all of `expectAll` is bundled. */
export function stubDependencies(expectAll: boolean): Plugin {
  return {
    name: "stubDependencies",
    setup({ onResolve, onLoad, onEnd }) {
      const met = new Set<string>();
      onResolve({ filter: /^apache-arrow$|\.js$/ }, ({ path }) => {
        const part = parts.find((candidate) => path === candidate.path || path.endsWith(candidate.path));
        if (part === undefined) return undefined;
        met.add(part.path);
        return { path: part.path, namespace: "left-out", sideEffects: false };
      });
      onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => ({
        contents: parts.find((part) => part.path === path)?.contents ?? "",
      }));
      onEnd(() => {
        const missed = expectAll ? parts.filter(({ path }) => !met.has(path)) : [];
        return { errors: missed.map(({ path, why }) => ({ text: `Nothing asks for ${path} any more (${why})` })) };
      });
    },
  };
}
