import assert from "node:assert/strict";
import type { TableEntity } from "@azure/data-tables";
import type { Entity } from "../../../src/storage/azure/table.ts";
import { isGuardRow, isKeyRow, isSessionRow, sessionRowOfAudit } from "../../../src/storage/rows/keys.ts";
import * as rows from "../../../src/storage/rows/rows.ts";
import { createMemoryTable, type MemoryTable } from "./memory-table.ts";

/** The app's tables in memory. */
export type Storage = ReturnType<typeof createStorage>;

export function createStorage() {
  return {
    sessions: createMemoryTable("sessions"),
    sessionIds: createMemoryTable("sessionids"),
    expiry: createMemoryTable("expiry"),
    users: createMemoryTable("users"),
    outcomes: createMemoryTable("outcomes"),
  };
}

/** Contents of the tables by kind of row, read and written by the functions of the stores. */
export type Tables = ReturnType<typeof viewTables>;

export function viewTables({ sessions, sessionIds, expiry }: Storage) {
  return {
    records: view(sessions, isSessionRow, rows.readSessionRow, rows.writeSessionRow),
    entries: view(sessions, (row) => sessionRowOfAudit(row) !== undefined, rows.readAuditEntry),
    guards: view(sessions, isGuardRow, rows.readGuard, rows.writeGuard),
    keys: view(sessions, isKeyRow, rows.readKey),
    pointers: view(sessionIds, (row) => !row.startsWith("!image_"), rows.readPointer),
    expiry: view(
      expiry,
      () => true,
      rows.readDue,
      (_partition, _row, due) => rows.writeDue(due),
    ),
  };
}

/** The rows of one kind. @param write absent: tests do not write them. */
function view<T>(
  table: MemoryTable,
  isOne: (row: string) => boolean,
  read: (entity: Entity) => T,
  write: (partition: string, row: string, value: T) => TableEntity = () => assert.fail("rows of this kind are not put"),
) {
  return {
    get(partition: string, row: string): { value: T } | undefined {
      const entity = table.get(partition, row);
      return entity && { value: read(entity) };
    },
    put: (partition: string, row: string, value: T) =>
      void table.put({ ...write(partition, row, value), partitionKey: partition }),
    remove: (partition: string, row: string) => void table.remove(partition, row),
    /** Ascending by keys. */
    all(): { partition: string; row: string; value: T }[] {
      const found = table.all().filter(({ rowKey }) => isOne(rowKey));
      return found.map((entity) => ({ partition: entity.partitionKey, row: entity.rowKey, value: read(entity) }));
    },
  };
}
