type MayBeAbsent<V> = unknown extends V ? true : [Extract<V, null | undefined>] extends [never] ? false : true;

/** `T` in which keys with nullable values are optional and not nullable. */
export type Compact<T> = {
  [K in keyof T as MayBeAbsent<T[K]> extends true ? never : K]: T[K];
} & {
  [K in keyof T as MayBeAbsent<T[K]> extends true ? K : never]?: NonNullable<T[K]>;
};

/** `fields` without the properties that are undefined or null. */
export function compact<T extends object>(fields: T): Compact<T> {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  // The compiler does not follow the filter; `Compact` describes its effect on each key.
  return Object.fromEntries(present) as Compact<T>;
}
