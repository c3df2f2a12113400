import type { Extra } from "./model.ts";

type MayBeAbsent<V> = unknown extends V ? true : [Extract<V, null | undefined>] extends [never] ? false : true;

/** `T`, in which the keys whose value may be undefined or null have become optional. */
export type Compact<T> = {
  [K in keyof T as MayBeAbsent<T[K]> extends true ? never : K]: T[K];
} & {
  [K in keyof T as MayBeAbsent<T[K]> extends true ? K : never]?: NonNullable<T[K]>;
};

/** Leaves out what is undefined or null: services write absence in either way, the model only by leaving out. */
export function compact<T extends object>(fields: T): Compact<T> {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  // The type says of each key what the filter does to it, which the compiler cannot see.
  return Object.fromEntries(present) as Compact<T>;
}

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
