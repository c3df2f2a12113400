/**
 * Audit ids are 64-bit integers, and paging keys: rounded as JSON numbers are by default, they would skip entries or
 * repeat them. In the model they are decimal digits.
 */

declare global {
  // Known to Node 24, but not yet to the library of ES2024.
  interface JSON {
    parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown;
    rawJSON(text: string): unknown;
  }
}

/** Parses JSON; integers that a number cannot hold exactly become their digits. Throws `SyntaxError`. */
export function parseJson(text: string): unknown {
  // The reviver is called for every value: spared where no number is long enough.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value, { source }) => {
    const isRounded = typeof value === "number" && !Number.isSafeInteger(value);
    return isRounded && source !== undefined && /^-?\d+$/.test(source) ? source : value;
  });
}

/** Decimal digits as what `JSON.stringify` writes as a number, however long. */
export function writeInt64(digits: string): unknown {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : JSON.rawJSON(digits);
}
