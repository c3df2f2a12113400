import type { TableEntity } from "@azure/data-tables";
import type { CreationKey } from "../../../src/liveness/model/creations.ts";
import type { Guard } from "../../../src/liveness/model/guard.ts";
import type { ScheduleEntry } from "../../../src/liveness/model/schedule.ts";
import type { AuditRecord } from "../../../src/liveness/model/session.ts";
import type { Entity } from "../../../src/storage/azure/table.ts";
import { isGuardRow, isKeyRow, isSessionRow, sessionRowOfAudit } from "../../../src/storage/rows/keys.ts";
import {
  type Pointer,
  readAuditEntry,
  readDue,
  readGuard,
  readKey,
  readPointer,
  readSessionRow,
  writeAuditEntry,
  writeDue,
  writeGuard,
  writeKey,
  writeSessionRow,
} from "../../../src/storage/rows/rows.ts";
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

/** The rows of one kind, read and written by the functions of the stores. */
export interface Rows<T> {
  get(partition: string, row: string): { value: T; etag: string } | undefined;
  put(partition: string, row: string, value: T): void;
  remove(partition: string, row: string): void;
  /** Ascending by keys. */
  all(): { partition: string; row: string; value: T }[];
}

/** Contents of the tables by kind of row. */
export type Tables = ReturnType<typeof viewTables>;

export function viewTables({ sessions, sessionIds, expiry }: Storage) {
  return {
    records: view(sessions, isSessionRow, readSessionRow, writeSessionRow),
    entries: view<AuditRecord>(sessions, isAuditRow, readAuditEntry, (partition, row, entry) =>
      writeAuditEntry(partition, sessionRowOfAudit(row) ?? "", entry),
    ),
    guards: view<Guard>(sessions, isGuardRow, readGuard, writeGuard),
    keys: view<CreationKey>(sessions, isKeyRow, readKey, writeKey),
    pointers: view<Pointer>(sessionIds, isPointer, readPointer, withKeys),
    expiry: view<ScheduleEntry>(
      expiry,
      () => true,
      readDue,
      (_partition, _row, due) => writeDue(due),
    ),
  };
}

const withKeys = (partitionKey: string, rowKey: string, pointer: Pointer) => ({ ...pointer, partitionKey, rowKey });
const isPointer = (row: string) => !row.startsWith("!image_");
const isAuditRow = (row: string) => sessionRowOfAudit(row) !== undefined;

function view<T>(
  table: MemoryTable,
  isOne: (row: string) => boolean,
  read: (entity: Entity) => T,
  write: (partition: string, row: string, value: T) => TableEntity,
): Rows<T> {
  return {
    get(partition, row) {
      const entity = table.get(partition, row);
      return entity && { value: read(entity), etag: entity.etag };
    },
    put: (partition, row, value) => void table.put({ ...write(partition, row, value), partitionKey: partition }),
    remove: (partition, row) => void table.remove(partition, row),
    all: () =>
      table
        .all()
        .filter(({ rowKey }) => isOne(rowKey))
        .map((entity) => ({ partition: entity.partitionKey, row: entity.rowKey, value: read(entity) })),
  };
}
