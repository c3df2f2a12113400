import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TransactionAction } from "@azure/data-tables";
import { type Query, writeFilter } from "../../../../src/storage/azure/query.ts";
import { defaultRetryPolicy } from "../../../../src/storage/azure/send-request.ts";
import type { Table } from "../../../../src/storage/azure/table.ts";
import { removeRows } from "../../../../src/storage/azure/transactions.ts";
import { createTableStores } from "../../../../src/storage/create-stores.ts";
import { located, versionOf, writePlace } from "../../../../src/storage/rows/keys.ts";
import { newRecord } from "../../fakes/seed.ts";
import { startOfTime } from "../../fakes/world.ts";

/** The stores on tables that contain only a guard row and refuse every transaction, and the filters of their queries. */
function arrange() {
  const filters: string[] = [];
  const table = (name: string): Table => ({
    name,
    get: async (partitionKey, rowKey) =>
      rowKey === "g" ? { partitionKey, rowKey, etag: "1", recent: "[]", rejectionsInARow: 0 } : undefined,
    put: async () => "1",
    merge: async () => true,
    remove: async () => "removed",
    transact: async (_actions: TransactionAction[]) => ({ conflict: { reason: "missing", repeated: false } }),
    async *query(query: Query) {
      filters.push(writeFilter(query));
      yield* [];
    },
  });
  const sessions = table("sessions");
  const others = { expiry: table("expiry"), users: table("users"), outcomes: table("outcomes") };
  const sessionIds = table("sessionids");
  const connection = { sessions, sessionIds, ...others, retryPolicy: defaultRetryPolicy, now: () => startOfTime };
  return { ...createTableStores(connection), filters, table: sessions };
}

const record = newRecord(startOfTime);
const creationId = "c0ffee00-0000-4000-8000-000000000000";
const row = `s_8227633599999_${creationId}`;
const idempotencyRowKey = "k_1";
const keys = { partition: "O'Hara", row, etag: "1", idempotencyRowKey, expiryPartition: "0_202603011200" };
const stored = { record, ...located(keys) };
const placeIn = (partition: string) => writePlace({ partition, idempotencyRowKey });
const { createdOn } = record;
const audits = `PartitionKey eq 'O''Hara' and RowKey ge 'a_8227633599999_${creationId}_' and RowKey lt 'a_8227633599999_${creationId}\`'`;

async function drain(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows) assert.fail("the tables contain no such row");
}

type Stores = ReturnType<typeof arrange>;
const forms: [string, (stores: Stores) => Promise<unknown>, string[]][] = [
  ["audit entries", ({ sessions }) => sessions.auditEntries(stored), [audits]],
  [
    "sessions of a device",
    ({ sessions }) => sessions.ofDevice("O'Hara", 5),
    ["PartitionKey eq 'O''Hara' and RowKey gt 's_' and RowKey lt 's`'"],
  ],
  [
    "sessions of a principal on a device",
    ({ sessions }) => sessions.ofDevice("d", 5, undefined, "o'"),
    ["PartitionKey eq 'd' and RowKey gt 's_' and RowKey lt 's`' and owner eq 'o'''"],
  ],
  [
    "a committed creation without its pointer",
    ({ creations }) =>
      creations.sessionOf({
        ...{ place: placeIn("d"), version: versionOf("1") },
        key: { creationId, sessionId: "s", countedFor: "services", leaseUntil: "", dueOn: "" },
      }),
    [`PartitionKey eq 'd' and RowKey ge 's_' and RowKey lt 's\`' and creationId eq '${creationId}'`],
  ],
  ["a whole partition", ({ devices }) => devices.contentsOf("d"), ["PartitionKey eq 'd'"]],
  [
    "due rows",
    ({ schedule }) => drain(schedule.dueEntries(10, "2026-01-01T00:04:00.000Z")),
    [
      "PartitionKey ge 'a_' and PartitionKey le 'a_202601010000' and " +
        "(PartitionKey lt 'a_202601010000' or dueOn le '2026-01-01T00:04:00.000Z')",
    ],
  ],
  [
    "the expiry rows of a creation",
    ({ schedule }) => schedule.removeAll(creationId),
    [`PartitionKey ge 'd_' and PartitionKey lt 'd\`' and RowKey eq '${creationId}'`],
  ],
  [
    "pointers into a partition",
    ({ removals }) => removals.dropPointers({ deviceCorrelationId: "d'" }),
    ["partition eq 'd'''"],
  ],
  [
    "pointers to a row",
    ({ removals }) => removals.dropPointers({ records: [{ place: placeIn("d"), creationId, createdOn }] }),
    [`partition eq 'd' and row eq '${row}'`],
  ],
  [
    "pointers to several rows, by their times",
    ({ removals }) =>
      removals.dropPointers({
        records: [
          { place: placeIn("d"), creationId: "b", createdOn: "2026-03-01T12:00:00.000Z" },
          { place: placeIn("e"), creationId: "a", createdOn: "2026-03-01T11:59:59.999Z" },
        ],
      }),
    ["createdOn ge '2026-03-01T11:59:59.999Z' and createdOn le '2026-03-01T12:00:00.000Z'"],
  ],
  [
    "the list of sessions",
    ({ sessions }) => sessions.list({ kind: "liveness", top: 3, createdAfter: "2026" }),
    ["PartitionKey gt '' and kind eq 'liveness' and createdOn gt '2026' and listed eq true"],
  ],
  [
    "the list of a principal",
    ({ sessions }) => sessions.list({ kind: "liveness", top: 3, after: "s-1", owner: "o", createdAfter: "2026" }),
    ["PartitionKey gt 's-1' and kind eq 'liveness' and createdOn gt '2026' and listed eq true and owner eq 'o'"],
  ],
  [
    "rows that need the guard, and audit entries of a purged session",
    ({ removals }) => removals.purge(stored),
    [audits, "PartitionKey eq 'O''Hara' and RowKey ge 'k_' and RowKey lt 's`' and countedFor eq 'services'"],
  ],
  [
    "all guard rows of a device",
    ({ devices }) => devices.editGuards("d", () => undefined),
    ["PartitionKey eq 'd' and RowKey ge 'g' and RowKey lt 'g`'"],
  ],
  [
    "all guard rows of a partition, if the key row of the creation is missing",
    ({ creations }) => creations.dropKey(placeIn("d"), creationId),
    ["PartitionKey eq 'd' and RowKey ge 'g' and RowKey lt 'g`'"],
  ],
  [
    "rows to remove",
    ({ table }) => removeRows(table, "d", ["b", "a", "c"]),
    ["PartitionKey eq 'd' and RowKey ge 'a' and RowKey le 'c'"],
  ],
];

describe("writeFilter", () => {
  for (const [what, query, expected] of forms) {
    test(`query for ${what} -> selects exactly its rows`, async () => {
      const stores = arrange();
      await query(stores);
      assert.deepEqual([...new Set(stores.filters)].sort(), expected.toSorted());
    });
  }

  test("quotes and operators in values -> quoted", () => {
    const where = { PartitionKey: "O'Hara' or '1' eq '1", a: "\\", b: { from: "'", before: "" } };
    const filter = "PartitionKey eq 'O''Hara'' or ''1'' eq ''1' and a eq '\\' and b ge '''' and b lt ''";
    assert.equal(writeFilter({ where }), filter);
  });

  test("no conditions -> empty filter", () => {
    assert.equal(writeFilter({ where: {} }), "");
  });
});
