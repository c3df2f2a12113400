import type { CountedFor } from "../../liveness/model/caller.ts";
import type { SessionStore } from "../../liveness/model/ports.ts";
import type { StoredSession } from "../../liveness/model/session.ts";
import type { StorageTables } from "../azure/connect.ts";
import type { Entity } from "../azure/table.ts";
import { removeRows } from "../azure/transactions.ts";
import { auditRows, guardHolder, guardRowOf, guardRows, keyAndSessionRows } from "../rows/keys.ts";
import { readKey } from "../rows/other-rows.ts";
import { removeMovedRows } from "./binding.ts";

/** The end of a record: all its rows go, its own last, so that a purge that was cut short is found and done again. */
export function createPurge({ sessions, sessionIds }: StorageTables): Pick<SessionStore, "purge" | "dropKey"> {
  return { purge, dropKey };

  async function purge(stored: StoredSession): Promise<void> {
    const { partition, row, record } = stored;
    const { creationId, sessionId, idempotencyRowKey, countedFor, keyPartition = partition } = record;
    const [idle, key, audits] = await Promise.all([
      readIdleGuard(partition, countedFor, [row, ...(keyPartition === partition ? [idempotencyRowKey] : [])]),
      ownKey(keyPartition, idempotencyRowKey, creationId),
      readAuditRows(partition, row),
    ]);
    // A key that a later creation has taken over is not going, and keeps the guard.
    const guard = key === undefined && keyPartition === partition ? undefined : idle;
    // Conditional deletes go one by one, as a transaction cannot hold them. An ETag that no longer fits means that a
    // creation came in between: what it has written stays.
    await Promise.all([
      key && sessions.remove(keyPartition, key.rowKey, key.etag),
      guard && sessions.remove(partition, guard.rowKey, guard.etag),
      sessionIds.remove(sessionId, sessionId),
    ]);
    await removeMovedRows(sessions, stored);
    await removeRows(sessions, partition, [...audits, row]);
    // The others that kept the guard may have been purged at the same time.
    if (guard === undefined) await removeIdleGuard(partition, countedFor);
    if (keyPartition !== partition) await removeIdleGuard(keyPartition, countedFor);
  }

  async function dropKey(partition: string, idempotencyRowKey: string, creationId: string): Promise<void> {
    const key = await ownKey(partition, idempotencyRowKey, creationId);
    if (key !== undefined) await sessions.remove(partition, idempotencyRowKey, key.etag);
    // Without the key row, whose creation it was is not known: it may have been counted in any guard.
    const counted = key === undefined ? await readGuardHolders(partition) : [readKey(key).countedFor];
    for (const countedFor of counted) await removeIdleGuard(partition, countedFor);
  }

  async function readGuardHolders(partition: string): Promise<CountedFor[]> {
    const where = { PartitionKey: partition, RowKey: guardRows };
    const holders: CountedFor[] = [];
    for await (const { rowKey } of sessions.query({ where, select: keysOnly })) holders.push(guardHolder(rowKey));
    return holders;
  }

  /** The key row, unless a later creation has taken it over. */
  async function ownKey(partition: string, rowKey: string, creationId: string): Promise<Entity | undefined> {
    const key = await sessions.get(partition, rowKey);
    return key !== undefined && readKey(key).creationId === creationId ? key : undefined;
  }

  /** Where nothing is left that a guard counts, it goes too. */
  async function removeIdleGuard(partition: string, countedFor: CountedFor): Promise<void> {
    const guard = await readIdleGuard(partition, countedFor, []);
    if (guard !== undefined) await sessions.remove(partition, guard.rowKey, guard.etag);
  }

  /**
   * The guard, where it counts no session and no creation under way beside those that are going. The guard is read
   * first: a creation that comes in later changes its ETag.
   */
  async function readIdleGuard(
    partition: string,
    countedFor: CountedFor,
    going: readonly string[],
  ): Promise<Entity | undefined> {
    const guard = await sessions.get(partition, guardRowOf(countedFor));
    if (guard === undefined) return undefined;
    const where = { PartitionKey: partition, RowKey: keyAndSessionRows, countedFor };
    for await (const { rowKey } of sessions.query({ where, select: keysOnly, pageSize: going.length + 1 })) {
      if (!going.includes(rowKey)) return undefined;
    }
    return guard;
  }

  async function readAuditRows(partition: string, row: string): Promise<string[]> {
    const where = { PartitionKey: partition, RowKey: auditRows(row) };
    const rowKeys: string[] = [];
    for await (const { rowKey } of sessions.query({ where, select: keysOnly })) rowKeys.push(rowKey);
    return rowKeys;
  }
}

const keysOnly = ["PartitionKey", "RowKey"];
