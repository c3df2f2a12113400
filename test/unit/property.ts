import { test } from "node:test";
import * as fc from "fast-check";

type Arbitraries<Values> = { [Index in keyof Values]: fc.Arbitrary<Values[Index]> };

/** A test that `check` passes with 100 sets of arbitrary values. */
export function testProperty<Values extends [unknown, ...unknown[]]>(
  title: string,
  arbitraries: Arbitraries<Values>,
  check: (...values: Values) => unknown,
): void {
  testPropertyTimes(100, title, arbitraries, check);
}

/** The same with another number of sets. */
export function testPropertyTimes<Values extends [unknown, ...unknown[]]>(
  numRuns: number,
  title: string,
  arbitraries: Arbitraries<Values>,
  check: (...values: Values) => unknown,
): void {
  const property = fc.asyncProperty(fc.tuple<Values>(...arbitraries), async (values) => void (await check(...values)));
  test(title, () => fc.assert(property, { numRuns }));
}

/** Plain objects with all fields of `all`, and any of `some`. */
export function anyRecord<All extends object, Some extends object>(
  all: Arbitraries<All>,
  some = {} as Arbitraries<Some>,
) {
  const required = fc.record<All>(all, { noNullPrototype: true });
  const optional = fc.record<Some, never>(some, { noNullPrototype: true, requiredKeys: [] });
  return fc.tuple(required, optional).map(([one, other]) => ({ ...one, ...(other as Partial<Some>) }));
}
