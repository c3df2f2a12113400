import type { CountedFor } from "../../liveness/model/caller.ts";
import type { Entity, Table } from "../azure/table.ts";
import { guardRowOf, keyAndSessionRows } from "../rows/keys.ts";
import { readKey } from "../rows/other-rows.ts";

/** Guards and key rows that are removed with the last session or creation that needs them. */

export const keysOnly = ["PartitionKey", "RowKey"];

/** The key row, unless a later creation has taken it over. */
export async function ownKey(
  sessions: Table,
  partition: string,
  rowKey: string,
  creationId: string,
): Promise<Entity | undefined> {
  const key = await sessions.get(partition, rowKey);
  return key !== undefined && readKey(key).creationId === creationId ? key : undefined;
}

/** Removes the guard if it counts no session and no creation in progress. */
export async function removeIdleGuard(sessions: Table, partition: string, countedFor: CountedFor): Promise<void> {
  const guard = await readIdleGuard(sessions, partition, countedFor, []);
  if (guard !== undefined) await sessions.remove(partition, guard.rowKey, guard.etag);
}

/**
 * The guard, if it counts no session and no creation in progress except those in rows that are being removed. The guard is
 * read first: a concurrent creation changes its ETag.
 */
export async function readIdleGuard(
  sessions: Table,
  partition: string,
  countedFor: CountedFor,
  removing: readonly string[],
): Promise<Entity | undefined> {
  const guard = await sessions.get(partition, guardRowOf(countedFor));
  if (guard === undefined) return undefined;
  const where = { PartitionKey: partition, RowKey: keyAndSessionRows, countedFor };
  for await (const { rowKey } of sessions.query({ where, select: keysOnly, pageSize: removing.length + 1 })) {
    if (!removing.includes(rowKey)) return undefined;
  }
  return guard;
}
