import type { Extra } from "./model.ts";

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
