import { isDeepStrictEqual } from "node:util";
import type { TransactionAction } from "@azure/data-tables";
import type { GuardChange } from "../../liveness/model/guard.ts";
import type { ListQuery, SessionPointer, SessionStore } from "../../liveness/model/ports.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "../../liveness/model/session.ts";
import type { StorageTables } from "../azure/connect.ts";
import { maxPageSize } from "../azure/query.ts";
import { inTransactions, maxTransactionRows } from "../azure/transactions.ts";
import { auditRows, expiryPartition, guardRowOf, sessionCreatedOn, sessionRow } from "../rows/keys.ts";
import {
  listedProperties,
  prunedPointer,
  readAuditEntry,
  readListed,
  writeAuditEntry,
  writeGuardChange,
  writePointer,
} from "../rows/other-rows.ts";
import { movingOf, readSession, writeSession } from "../rows/session-row.ts";
import { createCreation } from "./creations.ts";
import { createDeviceSessions } from "./device-sessions.ts";
import { followPointer } from "./find-session.ts";
import { createPurge } from "./purge.ts";
import { createExpiryStore } from "./schedule.ts";
import { createWriteCache } from "./write-cache.ts";

/** Rows asked for at least, as one that an older version of the app has pruned is dropped only after it was read. */
const minListPageSize = 100;

/** The sessions in Azure Tables. The device's partition is the truth; every other row only points to it. */
export function createSessionStore(connection: StorageTables): SessionStore {
  const { sessions, sessionIds } = connection;
  const cache = createWriteCache<StoredSession>();
  const { purge, dropKey } = createPurge(connection);

  return {
    ...createCreation(connection, cache),
    ...createDeviceSessions(connection),
    ...createExpiryStore(connection),
    dropKey,
    purge(stored) {
      cache.forget(stored.record.sessionId);
      return purge(stored);
    },
    recall: cache.recall,
    rowKey: sessionRow,
    createdOn: sessionCreatedOn,
    expiryPartition,
    find,
    load,
    update,
    list,
    auditEntries,
    markPruned,
    restorePointer,
    probe,
  };

  async function find(sessionId: string): Promise<StoredSession | undefined> {
    return (await followPointer(connection, sessionId)).stored;
  }

  async function load(partition: string, row: string): Promise<StoredSession | undefined> {
    const entity = await sessions.get(partition, row);
    return entity === undefined ? undefined : readSession(entity);
  }

  async function update(
    stored: StoredSession,
    record: SessionRecord,
    entries: readonly AuditRecord[] = [],
    guard?: { change: GuardChange; etag?: string },
  ): Promise<StoredSession | undefined> {
    const { partition, row, etag } = stored;
    cache.forget(record.sessionId);
    const session = writeSession(partition, row, record);
    const actions: TransactionAction[] = [["update", session, "Replace", { etag }]];
    if (guard !== undefined) {
      const change = writeGuardChange(partition, guardRowOf(record.countedFor), guard.change);
      actions.push(
        guard.etag === undefined ? ["upsert", change, "Merge"] : ["update", change, "Merge", { etag: guard.etag }],
      );
    }
    const chunks = inTransactions(
      entries.map((entry) => ["upsert", writeAuditEntry(partition, row, entry), "Replace"]),
      maxTransactionRows - actions.length,
    );
    // What goes first is overwritten by the next try, should this one be lost; the outcome comes with the last entries.
    const last = chunks.pop() ?? [];
    for (const chunk of chunks) await sessions.transact(chunk);
    // The previews' list tells it from the pointer. Of the stable version's sessions only their record does: a request less.
    const isListed = record.apiVersion !== "v1.2";
    const starts = isListed && record.startedOn !== undefined && stored.record.startedOn === undefined;
    const [written] = await Promise.all([
      sessions.transact([...actions, ...last]),
      starts && markStarted(record.sessionId, record.startedOn),
    ]);
    if (written.conflict === undefined) {
      return { ...stored, record, etag: written.etags[0] ?? "*", ...movingOf(partition, record) };
    }
    if (!written.conflict.repeated) return undefined;
    // An earlier try may have been the one that wrote: then the row holds just what we meant to write.
    const current = await load(partition, row);
    const ours = current !== undefined && isDeepStrictEqual(writeSession(partition, row, current.record), session);
    return ours ? { ...stored, record, etag: current.etag, ...movingOf(partition, record) } : undefined;
  }

  async function markStarted(sessionId: string, startedOn: string | undefined): Promise<void> {
    await sessionIds.merge({ partitionKey: sessionId, rowKey: sessionId, startedOn });
  }

  function markPruned(sessionId: string, prunedOn: string): Promise<boolean> {
    return sessionIds.merge(prunedPointer(sessionId, prunedOn));
  }

  async function restorePointer({ partition, row, record }: StoredSession, prunedOn: string): Promise<void> {
    await sessionIds.put({ ...writePointer(partition, row, record), ...prunedPointer(record.sessionId, prunedOn) });
  }

  async function auditEntries({ partition, row }: StoredSession): Promise<AuditRecord[]> {
    const where = { PartitionKey: partition, RowKey: auditRows(row) };
    const entries: AuditRecord[] = [];
    for await (const entity of sessions.query({ where })) entries.push(readAuditEntry(entity));
    return entries;
  }

  async function list({ kind, top, after = "", owner, createdAfter }: ListQuery): Promise<SessionPointer[]> {
    const where = {
      ...{ PartitionKey: { after }, kind, createdOn: { after: createdAfter }, listed: true },
      ...(owner !== undefined && { owner }),
    };
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
    // No device has this partition: its `!` would have been encoded.
    await sessions.get("!probe", "probe");
  }
}
