import { isDeepStrictEqual } from "node:util";
import type { TransactionAction } from "@azure/data-tables";
import { hasLists } from "../../face/model.ts";
import type { GuardChange } from "../../liveness/model/guard.ts";
import type { Placed, Version } from "../../liveness/model/references.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "../../liveness/model/session.ts";
import type { ListQuery, SessionPointer, Sessions } from "../../liveness/model/sessions.ts";
import type { StorageTables } from "../azure/connect.ts";
import { maxPageSize } from "../azure/query.ts";
import { inTransactions, maxTransactionRows } from "../azure/transactions.ts";
import { auditRows, guardRowOf } from "../rows/keys.ts";
import { listedProperties, readAuditEntry, readListed, writeAuditEntry, writeGuardChange } from "../rows/other-rows.ts";
import { located, locationOf, recordKeys } from "../rows/references.ts";
import { movingOf, readSession, readSessionRow, writeSession, writeSessionRow } from "../rows/session-row.ts";
import { createDeviceSessions } from "./device-sessions.ts";
import { followPointer } from "./find-session.ts";
import { createWriteCache, type WriteCache } from "./write-cache.ts";

/** Rows asked for at least, as one that an older version of the app has pruned is dropped only after it was read. */
const minListPageSize = 100;

/**
 * Sessions in the tables `sessions` and `sessionids`. The device's partition is authoritative; all other rows point to it.
 *
 * @param cache of sessions that this process has committed.
 */
export function createSessions(
  connection: StorageTables,
  cache: WriteCache<StoredSession> = createWriteCache(),
): Sessions {
  const { sessions, sessionIds } = connection;
  const { ofDevice } = createDeviceSessions(connection);
  return { find, recall: cache.recall, load, update, ofDevice, list, auditEntries, probe };

  async function find(sessionId: string): Promise<StoredSession | undefined> {
    return (await followPointer(connection, sessionId)).stored;
  }

  async function load(at: Placed): Promise<StoredSession | undefined> {
    const { partition, row } = recordKeys(at);
    const entity = await sessions.get(partition, row);
    return entity === undefined ? undefined : readSession(entity);
  }

  async function update(
    stored: StoredSession,
    record: SessionRecord,
    entries: readonly AuditRecord[] = [],
    guard?: { change: GuardChange; version?: Version },
  ): Promise<StoredSession | undefined> {
    const location = locationOf(stored);
    const { partition, row, etag } = location;
    cache.forget(record.sessionId);
    const session = writeSession(record, location);
    const actions: TransactionAction[] = [["update", session, "Replace", { etag }]];
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
    // What goes first is overwritten by the next try, should this one be lost; the outcome comes with the last entries.
    const last = chunks.pop() ?? [];
    for (const chunk of chunks) await sessions.transact(chunk);
    // Only lists read it from the pointer: for sessions of other versions, this saves a request.
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
    // An earlier try may have been the one that wrote: then the row holds just what we meant to write.
    const entity = await sessions.get(partition, row);
    const ours =
      entity !== undefined && isDeepStrictEqual(writeSessionRow(partition, row, readSessionRow(entity)), session);
    return ours ? writtenAs(entity.etag) : undefined;
  }

  async function markStarted(sessionId: string, startedOn: string | undefined): Promise<void> {
    await sessionIds.merge({ partitionKey: sessionId, rowKey: sessionId, startedOn });
  }

  async function auditEntries(stored: StoredSession): Promise<AuditRecord[]> {
    const { partition, row } = locationOf(stored);
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
