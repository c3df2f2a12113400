import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TransactionAction } from "@azure/data-tables";
import { type Query, writeFilter } from "../../../../src/storage/azure/query.ts";
import { defaultRetryPolicy } from "../../../../src/storage/azure/send-request.ts";
import type { Table } from "../../../../src/storage/azure/table.ts";
import { removeRows } from "../../../../src/storage/azure/transactions.ts";
import { createDeviceStore } from "../../../../src/storage/stores/devices.ts";
import { createSessionStore } from "../../../../src/storage/stores/sessions.ts";
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
  const tables = { sessions: table("sessions"), sessionIds: table("sessionids"), expiry: table("expiry") };
  const connection = { ...tables, retryPolicy: defaultRetryPolicy, now: () => startOfTime };
  const stores = { sessions: createSessionStore(connection), devices: createDeviceStore(connection) };
  return { ...stores, filters, table: tables.sessions };
}

const record = newRecord(startOfTime);
const creationId = "c0ffee00-0000-4000-8000-000000000000";
const row = `s_8227633599999_${creationId}`;
const stored = { record, partition: "O'Hara", row, etag: "1" };
const audits = `PartitionKey eq 'O''Hara' and RowKey ge 'a_8227633599999_${creationId}_' and RowKey lt 'a_8227633599999_${creationId}\`'`;

async function drain(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows) assert.fail("the tables contain no such row");
}

type Stores = ReturnType<typeof arrange>;
const forms: [string, (stores: Stores) => Promise<unknown>, string[]][] = [
  ["audit entries", ({ sessions }) => sessions.auditEntries(stored), [audits]],
  [
    "sessions of a device",
    ({ sessions }) => sessions.sessionsOfDevice("O'Hara", 5),
    ["PartitionKey eq 'O''Hara' and RowKey gt 's_' and RowKey lt 's`'"],
  ],
  [
    "sessions of a principal on a device",
    ({ sessions }) => sessions.sessionsOfDevice("d", 5, undefined, "o'"),
    ["PartitionKey eq 'd' and RowKey gt 's_' and RowKey lt 's`' and owner eq 'o'''"],
  ],
  [
    "a committed creation without its pointer",
    ({ devices }) =>
      devices.sessionOf({
        ...{ partition: "d", idempotencyRowKey: "k_1", etag: "1" },
        key: { creationId, sessionId: "s", countedFor: "services", leaseUntil: "" },
      }),
    [`PartitionKey eq 'd' and RowKey ge 's_' and RowKey lt 's\`' and creationId eq '${creationId}'`],
  ],
  ["a whole partition", ({ devices }) => devices.contentsOf("d"), ["PartitionKey eq 'd'"]],
  [
    "due rows",
    ({ sessions }) => drain(sessions.dueRows(10, "2026-01-01T00:04:00.000Z")),
    [
      "PartitionKey ge 'a_' and PartitionKey le 'a_202601010000' and " +
        "(PartitionKey lt 'a_202601010000' or dueOn le '2026-01-01T00:04:00.000Z')",
    ],
  ],
  [
    "the expiry rows of a creation",
    ({ sessions }) => sessions.dropSchedule(creationId),
    [`PartitionKey ge 'd_' and PartitionKey lt 'd\`' and RowKey eq '${creationId}'`],
  ],
  ["pointers into a partition", ({ devices }) => devices.dropPointers([{ partition: "d'" }]), ["partition eq 'd'''"]],
  [
    "pointers to a row",
    ({ devices }) => devices.dropPointers([{ ...stored, partition: "d" }]),
    [`partition eq 'd' and row eq '${row}'`],
  ],
  [
    "pointers to several rows, by their times",
    ({ devices }) =>
      devices.dropPointers([
        { partition: "d", row: "s_8227633599999_b" },
        { partition: "e", row: "s_8227633600000_a" },
      ]),
    ["createdOn ge '2026-03-01T11:59:59.999Z' and createdOn le '2026-03-01T12:00:00.000Z'"],
  ],
  [
    "pointers into several partitions",
    ({ devices }) => devices.dropPointers([{ partition: "d" }, { partition: "e" }]),
    ["createdOn ge ''"],
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
    ({ sessions }) => sessions.purge(stored),
    [audits, "PartitionKey eq 'O''Hara' and RowKey ge 'k_' and RowKey lt 's`' and countedFor eq 'services'"],
  ],
  [
    "all guard rows of a device",
    ({ devices }) => devices.updateGuards("d", () => undefined),
    ["PartitionKey eq 'd' and RowKey ge 'g' and RowKey lt 'g`'"],
  ],
  [
    "all guard rows of a partition, if the key row of the creation is missing",
    ({ sessions }) => sessions.dropKey("d", "k_1", creationId),
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
