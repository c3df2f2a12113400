import { isDeepStrictEqual } from "node:util";
import type { TransactionAction } from "@azure/data-tables";
import { compact } from "../../compact.ts";
import { unlessUnreadable } from "../../errors.ts";
import { hasLists } from "../../face/model.ts";
import type { StoredEvent } from "../../liveness/model/events.ts";
import type { GuardChange } from "../../liveness/model/guard.ts";
import type { Page } from "../../liveness/model/page.ts";
import type { Placed, Version } from "../../liveness/model/references.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "../../liveness/model/session.ts";
import type { ListQuery, SessionPointer, Sessions } from "../../liveness/model/sessions.ts";
import { maxPageSize, readAll, readFirst } from "../azure/query.ts";
import type { StorageTables } from "../azure/table.ts";
import { inTransactions, maxTransactionRows } from "../azure/transactions.ts";
import { writeEvent } from "../rows/event-rows.ts";
import { auditRows, devicePartition, guardRowOf, located, locationOf, recordKeys, sessionRows } from "../rows/keys.ts";
import { readListPage } from "../rows/page-token.ts";
import {
  listedProperties,
  movingOf,
  readAuditEntry,
  readListed,
  readPointer,
  readSession,
  readSessionRow,
  writeAuditEntry,
  writeGuardChange,
  writeSession,
  writeSessionRow,
} from "../rows/rows.ts";
import type { WriteCache } from "./creations.ts";
import { afterRow, rowToken } from "./stored-items.ts";

/** Minimum page size of a list. Pointers of sessions that an older version of the app pruned are read and left out. */
const minListPageSize = 100;

/**
 * Sessions in the tables `sessions` and `sessionids`. The device's partition is authoritative; all other rows point to it.
 *
 * @param cache sessions that this process has committed.
 */
export function createSessions(connection: StorageTables, cache: WriteCache<StoredSession>): Sessions {
  const { sessions, sessionIds } = connection;
  return { find, cached: cache.get, load, update, ofDevice, all, list, auditEntries, probe };

  async function find(sessionId: string): Promise<StoredSession | undefined> {
    return (await followPointer(connection, sessionId)).stored;
  }

  async function load(at: Placed): Promise<StoredSession | undefined> {
    const { partition, row } = recordKeys(at);
    const entity = await sessions.get(partition, row);
    return entity && readSession(entity);
  }

  async function update(
    stored: StoredSession,
    record: SessionRecord,
    entries: readonly AuditRecord[] = [],
    guard?: { change: GuardChange; version?: Version },
    events: readonly StoredEvent[] = [],
  ): Promise<StoredSession | undefined> {
    const location = locationOf(stored);
    const { partition, row, etag } = location;
    cache.delete(record.sessionId);
    const session = writeSession(record, location);
    const actions: TransactionAction[] = [["update", session, "Replace", { etag }]];
    for (const event of events) actions.push(["upsert", writeEvent(event), "Replace"]);
    if (guard !== undefined) {
      const change = writeGuardChange(partition, guardRowOf(record.countedFor), guard.change);
      actions.push(
        guard.version === undefined
          ? ["upsert", change, "Merge"]
          : ["update", change, "Merge", { etag: guard.version }],
      );
    }
    const chunks = inTransactions(
      entries.map((entry) => ["upsert", writeAuditEntry(partition, row, entry), "Replace"]),
      maxTransactionRows - actions.length,
    );
    // Entries that are written early are harmless after a crash, as a retry overwrites them. The record is written with the
    // last ones.
    const last = chunks.pop() ?? [];
    for (const chunk of chunks) await sessions.transact(chunk);
    // Only the previews' lists read `startedOn` from the pointer, so sessions of other versions need not write it there.
    const isListed = hasLists(record.apiVersion);
    const starts = isListed && record.startedOn !== undefined && stored.record.startedOn === undefined;
    const [written] = await Promise.all([
      sessions.transact([...actions, ...last]),
      starts && markStarted(record.sessionId, record.startedOn),
    ]);
    const { deviceCorrelationId } = record;
    const moving = movingOf(partition, { deviceCorrelationId, movedFrom: location.movedFrom });
    const writtenAs = (etag: string) => ({ ...stored, record, ...located({ ...location, etag }), ...moving });
    if (written.conflict === undefined) return writtenAs(written.etags[0] ?? "*");
    if (!written.conflict.repeated) return undefined;
    // An earlier attempt may have succeeded although its response was lost: then the row contains this record.
    const entity = await sessions.get(partition, row);
    const isWritten =
      entity !== undefined && isDeepStrictEqual(writeSessionRow(partition, row, readSessionRow(entity)), session);
    return isWritten ? writtenAs(entity.etag) : undefined;
  }

  async function markStarted(sessionId: string, startedOn: string | undefined): Promise<void> {
    await sessionIds.merge({ partitionKey: sessionId, rowKey: sessionId, startedOn });
  }

  async function ofDevice(
    deviceCorrelationId: string,
    top: number,
    continuationToken?: string,
    owner?: string,
  ): Promise<Page<SessionRecord>> {
    const partition = devicePartition(deviceCorrelationId);
    const rows = { after: sessionRows.from, before: sessionRows.before };
    const listed = { list: partition, partition, rows, owner, top, continuationToken };
    return readListPage(sessions, listed, (entity) => readSession(entity).record);
  }

  async function all(continuationToken?: string): Promise<Page<StoredSession>> {
    const { where, ...after } = afterRow(continuationToken);
    const rows = await readFirst(sessions.query({ ...after, where: { ...where, RowKey: sessionRows } }), maxPageSize);
    const items = rows.flatMap((entity) => {
      try {
        return readSession(entity);
      } catch (error) {
        return unlessUnreadable(error) ?? [];
      }
    });
    return compact({ items, continuationToken: rowToken(rows) });
  }

  async function auditEntries(stored: StoredSession): Promise<AuditRecord[]> {
    const { partition, row } = locationOf(stored);
    const where = { PartitionKey: partition, RowKey: auditRows(row) };
    return readAll(sessions.query({ where }), readAuditEntry);
  }

  async function list({ kind, top, after = "", owner, createdAfter }: ListQuery): Promise<SessionPointer[]> {
    const where = compact({ PartitionKey: { after }, kind, createdOn: { after: createdAfter }, listed: true, owner });
    const found: SessionPointer[] = [];
    const pageSize = Math.max(top, minListPageSize);
    const mayContinue = (pages: number) => pages < 2 + Math.ceil(found.length / maxPageSize);
    for await (const entity of sessionIds.query({ where, select: listedProperties, pageSize, mayContinue })) {
      const pointer = readListed(entity);
      if (pointer !== undefined) found.push(pointer);
      if (found.length === top) break;
    }
    return found;
  }

  async function probe(): Promise<void> {
    // This row never exists: in the partition of a device, `!` is encoded.
    await sessions.get("!probe", "probe");
  }
}

/**
 * Finds a session by the pointer of its id. If the pointer leads to a missing row, it is read again: a concurrent move
 * may have changed it.
 *
 * @returns `isPointed` false without a pointer; `stored` undefined without a record.
 */
export async function followPointer(
  { sessions, sessionIds }: Pick<StorageTables, "sessions" | "sessionIds">,
  sessionId: string,
): Promise<{ isPointed: boolean; stored?: StoredSession }> {
  let seen: string | undefined;
  for (;;) {
    const pointer = await sessionIds.get(sessionId, sessionId);
    if (pointer === undefined) return { isPointed: false };
    const { partition, row, prunedOn } = readPointer(pointer);
    if (partition === seen) return { isPointed: true };
    const entity = await sessions.get(partition, row);
    if (entity !== undefined) {
      return { isPointed: true, stored: compact({ ...readSession(entity), prunedOn }) };
    }
    seen = partition;
  }
}
