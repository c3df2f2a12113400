import { isRecord } from "../objects.ts";

/**
 * Values that clients send as texts: all values of a form, and in JSON those of some samples (`"true"`, `passive`). Fields
 * without a reader stay as they are.
 */
const readers = new Map<string, (text: string) => unknown>([
  ["livenessOperationMode", readMode],
  ["deviceCorrelationIdSetInClient", readBoolean],
  ["userCorrelationIdSetInClient", readBoolean],
  ["sendResultsToClient", readBoolean],
  ["enableSessionImage", readBoolean],
  ["returnVerifyImageHash", readBoolean],
  ["authTokenTimeToLiveInSeconds", readNumber],
  ["numberOfClientAttemptsAllowed", readNumber],
  ["verifyConfidenceThreshold", readNumber],
]);

/** The fields of a request with texts read as the types of JSON. Invalid texts stay, and the schema refuses them. */
export function readTexts(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const read = ([name, field]: [string, unknown]) => [
    name,
    typeof field === "string" ? (readers.get(name)?.(field) ?? field) : field,
  ];
  return Object.fromEntries(Object.entries(value).map(read));
}

/** The spelling of the contract for a mode in any case. */
function readMode(text: string): string | undefined {
  return ["Passive", "PassiveActive"].find((mode) => mode.toLowerCase() === text.toLowerCase());
}

/** Parses a boolean. Returns the text itself if it is not one. */
export function readBoolean(text: string): boolean | string {
  const lower = text.toLowerCase();
  return lower === "true" || (lower === "false" ? false : text);
}

/** Parses a decimal number without sign and exponent. Returns the text itself if it is not one. */
export function readNumber(text: string): number | string {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
