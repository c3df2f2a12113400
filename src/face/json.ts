import type { Extra } from "./model.ts";

/** Reading and writing JSON of the service and of callers. */

declare global {
  // Supported by Node 24, but missing in TypeScript's ES2024 library.
  interface JSON {
    parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
    rawJSON(text: string): unknown;
  }
}

/**
 * Parses JSON of the service; integers that a number cannot hold exactly become their digits. Audit ids are 64-bit integers
 * and paging keys: `JSON.parse` would round them, and pages would skip or repeat entries. Throws `SyntaxError`.
 */
export function parseJson(text: string): unknown {
  // The reviver runs for every value; texts without long numbers do not need it.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value, { source }) => {
    const isRounded = typeof value === "number" && !Number.isSafeInteger(value);
    return isRounded && source !== undefined && /^-?\d+$/.test(source) ? source : value;
  });
}

/** Converts decimal digits to a value that `JSON.stringify` writes as a number of any length. */
export function writeInt64(digits: string): unknown {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : JSON.rawJSON(digits);
}

/** Far above the depth of any valid request. */
const maxDepth = 32;

/**
 * Parses JSON of a caller.
 *
 * @throws SyntaxError for invalid JSON; RangeError for more than 32 levels of arrays and objects, with a message that may be
 * sent to the caller.
 */
export function parseCallerJson(text: string): unknown {
  if (isDeep(text)) throw new RangeError(`The JSON has more than ${maxDepth} levels.`);
  return JSON.parse(text);
}

const [quote, backslash] = [0x22, 0x5c];
const [openArray, closeArray] = [0x5b, 0x5d];
const [openObject, closeObject] = [0x7b, 0x7d];

/** Whether brackets outside of strings exceed the depth. Other errors in the text are left to the parser. */
function isDeep(text: string): boolean {
  let depth = 0;
  let isString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (isString) {
      if (code === backslash) index += 1;
      else if (code === quote) isString = false;
    } else if (code === quote) {
      isString = true;
    } else if (code === openArray || code === openObject) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (code === closeArray || code === closeObject) {
      depth -= 1;
    }
  }
  return false;
}

/** `fields` without the fields in `names`. */
export function omit(fields: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** The fields of `body` that are not keys of `known`, as `extra`. Empty if there are none. */
export function extraOf(body: object, known: object): { extra?: Extra } {
  const extra = omit(body, Object.keys(known));
  return Object.keys(extra).length === 0 ? {} : { extra };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
