/**
 * Audit ids are 64-bit integers and paging keys. `JSON.parse` would round them, and pages would skip or repeat entries. The
 * model stores them as decimal digits.
 */

declare global {
  // Supported by Node 24, but missing in TypeScript's ES2024 library.
  interface JSON {
    parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
    rawJSON(text: string): unknown;
  }
}

/** Parses JSON; integers that a number cannot hold exactly become their digits. Throws `SyntaxError`. */
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
