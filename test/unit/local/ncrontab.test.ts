import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseSchedule } from "../../local/functions-host/ncrontab.ts";
import { testProperty } from "../property.ts";

describe("a schedule", () => {
  const examples: [expression: string, after: string, next: string | undefined][] = [
    ["0 */5 * * * *", "2026-01-01T00:00:00.000Z", "2026-01-01T00:05:00.000Z"],
    ["0 */5 * * * *", "2026-01-01T00:04:59.999Z", "2026-01-01T00:05:00.000Z"],
    ["*/5 * * * *", "2026-12-31T23:58:00.000Z", "2027-01-01T00:00:00.000Z"],
    ["*/20 * * * * *", "2026-01-01T00:00:41.000Z", "2026-01-01T00:01:00.000Z"],
    ["0 30 9-11,14 * * *", "2026-01-01T11:30:00.000Z", "2026-01-01T14:30:00.000Z"],
    ["0 0 0 31 * *", "2026-01-31T00:00:00.000Z", "2026-03-31T00:00:00.000Z"],
    ["0 0 0 29 2 *", "2026-01-01T00:00:00.000Z", "2028-02-29T00:00:00.000Z"],
    ["0 0 0 * * Mon-Fri", "2026-01-02T00:00:00.000Z", "2026-01-05T00:00:00.000Z"],
    ["0 0 0 13 * 5", "2026-01-01T00:00:00.000Z", "2026-02-13T00:00:00.000Z"],
    ["0 0 12 1 JAN,jul *", "2026-01-01T12:00:00.000Z", "2026-07-01T12:00:00.000Z"],
    ["10/25 0 0 1 1 *", "2026-01-01T00:00:10.000Z", "2026-01-01T00:00:35.000Z"],
    ["0 0 0 30 2 *", "2026-01-01T00:00:00.000Z", undefined],
  ];
  for (const [expression, after, next] of examples) {
    test(`'${expression}' after ${after}`, () => {
      assert.equal(parseSchedule(expression).next(new Date(after))?.toISOString(), next);
    });
  }

  for (const expression of ["", "* * * *", "* * * * * * *"]) {
    test(`'${expression}' is invalid`, () => assert.throws(() => parseSchedule(expression), /not a schedule/));
  }
  for (const expression of [
    ...["60 * * * * *", "0 0 24 * * *", "0 0 0 0 * *", "5-1 * * * *", "*/0 * * * * *", "a * * * * *"],
    ...["1,,2 * * * * *", "1-2-3 * * * * *", "-1 * * * * *", "0 0 0 L * *"],
  ]) {
    test(`'${expression}' is invalid`, () => assert.throws(() => parseSchedule(expression), /in the schedule/));
  }

  const values = (highest: number) => fc.uniqueArray(fc.nat(highest), { minLength: 1, maxLength: 4 });
  const time = fc.date({ min: new Date("2026-01-01"), max: new Date("2027-01-01"), noInvalidDate: true });
  testProperty("finds the next matching second", [values(59), values(59), time], (seconds, minutes, after) => {
    const expected = new Date(Math.floor(after.getTime() / 1000) * 1000);
    do {
      expected.setTime(expected.getTime() + 1000);
    } while (!seconds.includes(expected.getUTCSeconds()) || !minutes.includes(expected.getUTCMinutes()));
    const next = parseSchedule(`${seconds.join()} ${minutes.join()} * * * *`).next(after);
    assert.equal(next?.toISOString(), expected.toISOString());
  });
});
