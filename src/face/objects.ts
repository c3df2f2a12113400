import type { Extra } from "./model.ts";

/** `fields` without those that `names` lists. */
export function omit(fields: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** The fields of `body` that `known` does not name, as the model keeps them; nothing where there are none. */
export function extraOf(body: object, known: object): { extra?: Extra } {
  const extra = omit(body, Object.keys(known));
  return Object.keys(extra).length === 0 ? {} : { extra };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
