import assert from "node:assert/strict";
import { test } from "node:test";
import type { TableEntity, TransactionAction } from "@azure/data-tables";
import fc from "fast-check";
import type { Query } from "../../../src/storage/azure/query.ts";
import type { Table } from "../../../src/storage/azure/table.ts";
import { createCalls } from "../../unit/fakes/calls.ts";
import { createMemoryTable } from "../../unit/fakes/memory-table.ts";
import { collect, openRig } from "./storage-rig.ts";

// The in-memory table of the unit tests against Azurite: the same requests get the same answers.

/** The two tables have different ETags, so a request refers to the current or a stale ETag of a row. */
type Version = "current" | "stale" | "any";
type Step =
  | { verb: "get"; key: string }
  | { verb: "put" | "merge"; key: string; values: object }
  | { verb: "remove"; key: string; version: Version }
  | { verb: "transact"; actions: { kind: string; key: string; mode: string; values: object; version: Version }[] }
  | { verb: "query"; query: Query };

const partitions = ["p", "P", "!session_1", "é'", "p_"];
const rowKeys = ["a", "A", "b_1", "b`", "𝒳", "\u{ff5e}", ""];
const key = fc.tuple(fc.constantFrom(...partitions), fc.constantFrom(...rowKeys)).map((both) => JSON.stringify(both));
const version = fc.constantFrom<Version>("current", "stale", "any");
const text = fc.constantFrom("", "a", "b", "B", "ä", "a'b", '"');
const values = fc.record(
  { text, other: text, flag: fc.boolean(), count: fc.integer({ min: -5, max: 5 }), ratio: fc.constant(0.25) },
  { requiredKeys: [], noNullPrototype: true },
);
const condition = (value: fc.Arbitrary<string>) =>
  fc.oneof(
    value,
    fc.record(
      { from: value, after: value, before: value, through: value },
      { requiredKeys: [], noNullPrototype: true },
    ),
  );
const conditions = fc.record(
  {
    PartitionKey: condition(fc.constantFrom(...partitions)),
    RowKey: condition(fc.constantFrom(...rowKeys)),
    text,
    flag: fc.boolean(),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const isEmpty = (asked: object) =>
  Object.values(asked).every((bounds) => typeof bounds === "object" && Object.keys(bounds).length === 0);
const query = fc.record(
  {
    where: conditions,
    anyOf: fc.array(
      conditions.filter((asked) => !isEmpty(asked)),
      { minLength: 1, maxLength: 2 },
    ),
    select: fc.constant<string[]>(["PartitionKey", "RowKey", "text"]),
    pageSize: fc.constantFrom(1, 2, 1000),
  },
  { requiredKeys: ["where"], noNullPrototype: true },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ verb: fc.constant("get" as const), key }),
  fc.record({ verb: fc.constantFrom("put" as const, "merge" as const), key, values }),
  fc.record({ verb: fc.constant("remove" as const), key, version }),
  fc
    .tuple(fc.constantFrom(...partitions), fc.uniqueArray(fc.constantFrom(...rowKeys), { minLength: 1, maxLength: 3 }))
    .chain(([partition, rows]) =>
      fc.tuple(
        ...rows.map((row) =>
          fc.record({
            key: fc.constant(JSON.stringify([partition, row])),
            kind: fc.constantFrom("create", "upsert", "update", "delete"),
            mode: fc.constantFrom("Merge", "Replace"),
            values,
            version,
          }),
        ),
      ),
    )
    .map((actions) => ({ verb: "transact" as const, actions })),
  query.map((asked) => ({ verb: "query" as const, query: asked })),
);

/** One of the two tables, with its ETags. */
function createPlayer(table: Table) {
  const stale = new Map<string, string>();
  const keysOf = (name: string): { partitionKey: string; rowKey: string } => {
    const [partitionKey, rowKey] = JSON.parse(name);
    return { partitionKey, rowKey };
  };

  async function etagOf(name: string, wanted: Version): Promise<string> {
    const { partitionKey, rowKey } = keysOf(name);
    const current = (await table.get(partitionKey, rowKey))?.etag;
    const earlier = stale.get(name);
    if (current !== undefined && current !== earlier) stale.set(name, current);
    if (wanted === "any") return "*";
    return (wanted === "current" ? current : earlier) ?? current ?? "*";
  }

  return async ({ ...asked }: Step): Promise<unknown> => {
    switch (asked.verb) {
      case "get": {
        const { partitionKey, rowKey } = keysOf(asked.key);
        return shown(await table.get(partitionKey, rowKey));
      }
      case "put":
        return typeof (await table.put({ ...asked.values, ...keysOf(asked.key) }));
      case "merge":
        return table.merge({ ...asked.values, ...keysOf(asked.key) });
      case "remove": {
        const { partitionKey, rowKey } = keysOf(asked.key);
        return table.remove(partitionKey, rowKey, await etagOf(asked.key, asked.version));
      }
      case "query":
        return (await collect(table.query(asked.query))).map(shown);
      case "transact": {
        const actions: TransactionAction[] = [];
        for (const { kind, key: name, mode, values: given, version: wanted } of asked.actions) {
          const entity: TableEntity = { ...given, ...keysOf(name) };
          const how = mode === "Merge" ? "Merge" : "Replace";
          if (kind === "create") actions.push(["create", entity]);
          else if (kind === "delete") actions.push(["delete", keysOf(name)]);
          else if (kind === "upsert") actions.push(["upsert", entity, how]);
          else actions.push(["update", entity, how, { etag: await etagOf(name, wanted) }]);
        }
        const written = await table.transact(actions);
        return written.conflict ?? written.etags.map((etag) => typeof etag);
      }
    }
  };
}

/** A row without the values that differ between the tables. */
function shown(row: { etag: string } | undefined): unknown {
  const { etag, timestamp: _, ...rest } = (row ?? { etag: "" }) as Record<string, unknown>;
  const values = Object.entries(rest).filter(([name]) => !name.startsWith("odata."));
  return row && { hasEtag: typeof etag === "string" && etag !== "", ...Object.fromEntries(values) };
}

test("the in-memory table answers like Azurite", async (t) => {
  const { connection } = await openRig(t);
  const real = connection.sessions;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 25 }), async (steps) => {
      for await (const { partitionKey, rowKey } of real.query({ where: {} })) await real.remove(partitionKey, rowKey);
      const [inMemory, inAzurite] = [createMemoryTable("sessions").open(createCalls()), real].map(createPlayer);
      for (const asked of steps) {
        assert.deepEqual(await inMemory?.(asked), await inAzurite?.(asked), JSON.stringify(asked));
      }
    }),
    { numRuns: 60 },
  );
});

test("the in-memory table, like Azure and unlike Azurite, refuses empty, oversized and mixed transactions", async () => {
  const create = (partitionKey: string, rowKey: string): TransactionAction => ["create", { partitionKey, rowKey }];
  const table = createMemoryTable("sessions").open(createCalls());
  const many = Array.from({ length: 101 }, (_, n) => create("many", String(n)));
  for (const actions of [
    [],
    [create("one", "a"), create("two", "a")],
    many,
    [create("one", "a"), create("one", "a")],
  ]) {
    await assert.rejects(table.transact(actions), /1 to 100 rows of one partition/);
  }
});
