import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { HeldImageName } from "../../../../src/liveness/model/images.ts";
import {
  auditRow,
  auditRows,
  boundImageRow,
  creationKeyRow,
  deviceOfPartition,
  devicePartition,
  duePartitions,
  expiryPartition,
  guardHolder,
  guardRow,
  guardRowOf,
  guardRows,
  imageOfRow,
  isGuardRow,
  isSessionRow,
  keyAndSessionRows,
  sessionPartition,
  sessionRow,
  sessionRows,
} from "../../../../src/storage/rows/keys.ts";
import { testProperty } from "../../property.ts";

/** Well-formed text of 1 to 64 characters, including control characters. */
const deviceIds = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 64 }),
  fc.string({
    unit: fc.constantFrom("!", "2", "f", "/", "\\", "#", "?", "\u0000", "\u0085", "\u2028", "\u{1f600}", "'", "%"),
  }),
);
/** Milliseconds from 1970 to 2286, half of them from 2024 to 2040. */
const times = fc.oneof(
  fc.integer({ min: 0, max: 9_999_999_999_999 }),
  fc.integer({ min: Date.UTC(2024), max: Date.UTC(2040) }),
);
const iso = (ms: number) => new Date(ms).toISOString();
const within = (row: string, { from, before }: { from: string; before: string }) => row >= from && row < before;

describe("devicePartition", () => {
  test("id of allowed characters -> unchanged", () => {
    assert.equal(devicePartition("iPhone 15 (Zoë's)%2F+&=😀"), "iPhone 15 (Zoë's)%2F+&=😀");
  });

  test("characters that Tables forbid -> escaped as UTF-8 bytes", () => {
    assert.equal(devicePartition("a/b\\c#d?e!f"), "a!2fb!5cc!23d!3fe!21f");
    assert.equal(devicePartition("\u0000\n\u007f\u0085"), "!00!0a!7f!c2!85");
    assert.equal(devicePartition("\u2028\u2029"), "!e2!80!a8!e2!80!a9");
  });

  testProperty("any id -> only allowed characters, and deviceOfPartition returns the id", [deviceIds], (id) => {
    const partition = devicePartition(id);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters must be absent
    assert.doesNotMatch(partition, /[/\\#?\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    assert.equal(deviceOfPartition(partition), id);
  });

  test("partition of a creation without a device -> belongs to no device", () => {
    assert.equal(deviceOfPartition(sessionPartition("5f0c")), undefined);
    assert.notEqual(devicePartition(sessionPartition("5f0c")), sessionPartition("5f0c"));
  });

  test("lone surrogate -> 400", () => {
    assert.throws(() => devicePartition("a\ud800"), { name: "ApiError", status: 400 });
  });
});

describe("boundImageRow", () => {
  const ids = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  const names: fc.Arbitrary<HeldImageName> = fc.oneof(
    ids.map((id): HeldImageName => `held/${id}`),
    fc.tuple(ids, ids).map(([owner, id]): HeldImageName => `held-by/${owner}/${id}`),
  );

  testProperty("any image name -> imageOfRow returns the name", [names], (name) => {
    const row = boundImageRow(name);
    assert.doesNotMatch(row, /[/\\#?]/);
    assert.equal(imageOfRow(row), name);
  });

  test("other rows of the partition -> imageOfRow returns undefined", () => {
    for (const row of [guardRow, creationKeyRow("c1"), sessionRow("2026-01-02T03:04:05.678Z", "c1")]) {
      assert.equal(imageOfRow(row), undefined);
    }
  });
});

describe("sessionRow", () => {
  test("creation time -> milliseconds counted down, in 13 digits", () => {
    assert.equal(sessionRow("2026-01-02T03:04:05.678Z", "c1"), `s_${9_999_999_999_999 - 1767323045678}_c1`);
    assert.match(sessionRow("1970-01-01T00:00:00.000Z", "c1"), /^s_\d{13}_c1$/);
    assert.match(sessionRow("2286-11-20T17:46:39.999Z", "c1"), /^s_0{13}_c1$/);
  });

  testProperty("any times -> newest first", [times, times, fc.uuid(), fc.uuid()], (one, other, a, b) => {
    fc.pre(one !== other);
    assert.equal(sessionRow(iso(one), a) < sessionRow(iso(other), b), one > other);
  });

  test("invalid time -> RangeError", () => {
    for (const time of ["", "soon", "1969-12-31T23:59:59.999Z", "2286-11-20T17:46:40.000Z"]) {
      assert.throws(() => sessionRow(time, "c1"), RangeError);
    }
  });
});

describe("row ranges", () => {
  const row = sessionRow("2026-01-02T03:04:05.678Z", "c1");
  const otherRow = sessionRow("2026-01-02T03:04:05.678Z", "c1-2");
  const owner = "a".repeat(64);

  for (const [what, key, ...ranges] of [
    ["a session", row, "sessions", "keys and sessions"],
    ["a key", creationKeyRow("c1"), "keys and sessions"],
    ["a key of a caller", creationKeyRow("c1", "ff"), "keys and sessions"],
    ["the guard of services", guardRowOf("services"), "guards"],
    ["the guard of a user", guardRowOf(owner), "guards"],
    ["an audit entry", auditRow(row, "1")],
    ["a bound image", boundImageRow("held/g")],
    ["no row, before guards", "f_"],
    ["no row, after guards", "h"],
  ] as const) {
    test(`contain ${what}: ${ranges.join(", ") || "none"}`, () => {
      const all = { sessions: sessionRows, "keys and sessions": keyAndSessionRows, guards: guardRows };
      const found = Object.entries(all).flatMap(([name, range]) => (within(key, range) ? [name] : []));
      assert.deepEqual(found, ranges);
      assert.deepEqual([isSessionRow(key), isGuardRow(key)], [what === "a session", key.startsWith("g")]);
    });
  }

  test("guardRowOf: services or a user -> own row, which names its holder", () => {
    assert.deepEqual([guardRowOf("services"), guardRowOf(owner)], [guardRow, `g_${owner}`]);
    for (const countedFor of ["services", owner]) assert.equal(guardHolder(guardRowOf(countedFor)), countedFor);
  });

  const ids = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
  testProperty("auditRows -> audit entries of one session, in the order of their ids", [ids, ids], (one, other) => {
    const rows = [auditRow(row, String(one)), auditRow(row, String(other))] as const;
    assert.ok(within(rows[0], auditRows(row)) && !within(rows[0], auditRows(otherRow)));
    assert.equal(rows[0] < rows[1], one < other);
    assert.match(rows[0], /_\d{19}$/);
  });

  test("auditRow with an id that is not decimal -> TypeError", () => {
    for (const id of ["", "-1", "1.5", "x", "1".repeat(20)]) assert.throws(() => auditRow(row, id), TypeError);
  });
});

describe("expiryPartition", () => {
  test("creation id and time -> shard and 5-minute bucket in UTC", () => {
    assert.match(expiryPartition("c1", "2026-01-02T03:04:59.999Z"), /^[0-9a-f]_202601020300$/);
    assert.match(expiryPartition("c1", "2026-01-02T03:05:00.000Z"), /^[0-9a-f]_202601020305$/);
    assert.match(expiryPartition("c1", "2026-01-01T00:04:00.000+02:00"), /^[0-9a-f]_202512312200$/);
  });

  testProperty("duePartitions -> contains it from its bucket on", [fc.uuid(), times, times], (id, due, now) => {
    const partition = expiryPartition(id, iso(due));
    const shard = Number.parseInt(partition.slice(0, 1), 16);
    const bucket = 300_000;
    for (let other = 0; other < 16; other++) {
      const { from, through } = duePartitions(other, iso(now));
      const found = partition >= from && partition <= through;
      assert.equal(found, other === shard && Math.floor(due / bucket) <= Math.floor(now / bucket));
    }
  });

  test("consecutive ids -> evenly distributed over 16 shards", () => {
    const counts = new Map<string, number>();
    for (let n = 0; n < 16_000; n++) {
      const shard = expiryPartition(`00000000-0000-7000-8000-${String(n).padStart(12, "0")}`, iso(0)).slice(0, 1);
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    assert.equal(counts.size, 16);
    for (const count of counts.values()) assert.ok(count > 850 && count < 1150, `a shard has ${count} of 16,000`);
  });

  test("duePartitions of an invalid shard -> RangeError", () => {
    for (const shard of [-1, 16, 1.5]) assert.throws(() => duePartitions(shard, iso(0)), RangeError);
  });
});
