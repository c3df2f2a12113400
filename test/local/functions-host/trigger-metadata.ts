import type { RpcTypedData } from "./core-types.ts";

export interface HttpFacts {
  /** Decoded values of the route's parameters. */
  parameters: Record<string, string>;
  query: URLSearchParams;
  /** Names in the caller's spelling; several values of one name are joined by commas. */
  headers: Record<string, string>;
  /** The body, where the host has read it. */
  body?: string;
}

/**
 * The trigger metadata that the real host sends to the worker with an HTTP request: one flat, case-insensitive dictionary.
 * It contains the top-level properties of a JSON body, then the query, then the route's values, and at last `Query` and
 * `Headers`, *unless a property or query parameter of the caller already has that name*. With HTTP streaming the library
 * takes the request's headers from this dictionary, so a caller can choose all headers of the app's request. The stand-in
 * does the same, so that tests find apps that rely on them.
 */
export function createTriggerMetadata(facts: HttpFacts): Record<string, RpcTypedData> {
  const entries = new Map<string, [name: string, data: RpcTypedData]>();
  const set = (name: string, data: RpcTypedData) => {
    // As in a .NET dictionary, replacing a value keeps the first spelling of its name.
    const key = name.toLowerCase();
    entries.set(key, [entries.get(key)?.[0] ?? name, data]);
  };
  for (const [name, value] of Object.entries(topLevelProperties(facts.body))) {
    if (typeof value === "object" && value !== null) {
      if (!Array.isArray(value)) {
        set(name, { json: JSON.stringify(value) });
      }
    } else if (value !== null) {
      set(name, { string: String(value) });
    }
  }
  for (const name of new Set(facts.query.keys())) {
    // `code` is the host's own parameter for function keys.
    if (name.toLowerCase() !== "code") {
      set(name, { string: facts.query.getAll(name).join(",") });
    }
  }
  for (const [name, value] of Object.entries(facts.parameters)) {
    set(name, { string: value });
  }
  if (!entries.has("query")) {
    set("Query", { json: JSON.stringify(Object.fromEntries(facts.query)) });
  }
  if (!entries.has("headers")) {
    set("Headers", { json: JSON.stringify(facts.headers) });
  }
  return Object.fromEntries(entries.values());
}

/** The depth limit of the real host's JSON reader. Beyond it the host takes nothing from the body. */
const deepestJson = 64;

function topLevelProperties(body: string | undefined): object {
  try {
    const value: unknown = JSON.parse(body ?? "");
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject && depthOf(body ?? "") <= deepestJson ? value : {};
  } catch {
    return {};
  }
}

/** Levels of objects and arrays in a valid JSON text, counted without recursion. */
function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]+|\\.)*"|[[\]{}]/g)) {
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
