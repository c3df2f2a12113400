import type { RpcTypedData } from "./core-types.ts";

export interface HttpFacts {
  /** Decoded values of the route's parameters. */
  parameters: Record<string, string>;
  query: URLSearchParams;
  /** Names as the caller wrote them; several values of one name joined by a comma. */
  headers: Record<string, string>;
  /** The body, where it was read beforehand. */
  body?: string;
}

/**
 * What the real host tells the worker about an HTTP request beside its body: one flat, case-insensitive dictionary into
 * which it puts the top-level properties of a JSON body, then the query, then the route's values, and at last `Query`
 * and `Headers`, *unless a caller's property or query parameter of that name is there already*. With HTTP streaming the
 * library takes the request's headers from this dictionary, so a caller can choose all headers that the app sees. An
 * app must not be spared that here.
 */
export function createTriggerMetadata(facts: HttpFacts): Record<string, RpcTypedData> {
  const entries = new Map<string, [name: string, data: RpcTypedData]>();
  const set = (name: string, data: RpcTypedData) => {
    // As in a .NET dictionary, the first spelling of a name stays when its value is replaced.
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

/** The real host's JSON reader gives up below this many levels, and the host then takes nothing from the body. */
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
