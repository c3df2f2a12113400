import {
  type EntryKey,
  type Schedule,
  type ScheduleEntry,
  shards,
  type UnreadableEntry,
} from "../../liveness/model/schedule.ts";
import { keysOnly, maxPageSize } from "../azure/query.ts";
import type { Entity, StorageTables } from "../azure/table.ts";
import { putRows } from "../azure/transactions.ts";
import { isDeliveryRow } from "../rows/event-rows.ts";
import { bucketStart, expiryPartition, shardOf, shardPartitions } from "../rows/keys.ts";
import { readDue, writeDue } from "../rows/rows.ts";
import { createDueRows, dueAt } from "./due-rows.ts";

/** Rows per page. All sixteen shards may be read concurrently. */
const pageSize = 500;

/** The schedule in the table `expiry`. */
export function createSchedule({ expiry }: StorageTables): Schedule {
  const keysOf = ({ creationId, dueOn }: EntryKey) => ({
    partition: expiryPartition(creationId, dueOn),
    row: creationId,
  });
  const { move, remove } = createDueRows<EntryKey, ScheduleEntry>(expiry, keysOf, writeDue);
  return {
    put: (...entries) => putRows(expiry, entries.map(writeDue)),
    move,
    remove,
    dueEntries,
    get,
    oldestDue,
    missing,
    removeAll,
  };

  async function* dueEntries(shard: number, now: string): AsyncIterable<ScheduleEntry | UnreadableEntry> {
    for await (const entity of expiry.query({ ...dueAt(shard, now), pageSize })) {
      // A row that cannot be read must not hide the rows after it.
      if (!isDeliveryRow(entity)) yield readOrReport(entity);
    }
  }

  async function get(entry: EntryKey): Promise<ScheduleEntry | undefined> {
    const { partition, row } = keysOf(entry);
    const entity = await expiry.get(partition, row);
    return entity && readDue(entity);
  }

  async function oldestDue(now: string, listed?: ReadonlySet<string>): Promise<string | undefined> {
    // Without a list the first row of a shard answers: one row and its time are read.
    const page = listed ? { pageSize: maxPageSize } : { pageSize: 1, select: [...keysOnly, "dueOn"] };
    const times = await Promise.all(
      shards.map(async (shard) => {
        for await (const entity of expiry.query({ ...dueAt(shard, now), ...page })) {
          if (listed && (listed.has(entity.rowKey) || isAnnounced(readOrReport(entity)))) continue;
          return typeof entity.dueOn === "string" ? entity.dueOn : bucketStart(entity.partitionKey);
        }
        return undefined;
      }),
    );
    return times.filter((time) => time !== undefined).sort()[0];
  }

  async function missing(creationIds: readonly string[], until: string): Promise<Set<string>> {
    const lost = new Set(creationIds);
    const concerned = new Set(creationIds.map((creationId) => shardOf(creationId)));
    await Promise.all(
      concerned.values().map(async (shard) => {
        const query = { ...dueAt(Number.parseInt(shard, 16), until), select: keysOnly };
        for await (const { rowKey } of expiry.query(query)) lost.delete(rowKey);
      }),
    );
    return lost;
  }

  async function removeAll(creationId: string): Promise<void> {
    const where = { PartitionKey: shardPartitions(creationId), RowKey: creationId };
    for await (const { partitionKey, rowKey } of expiry.query({ where, select: keysOnly })) {
      await expiry.remove(partitionKey, rowKey);
    }
  }
}

function readOrReport(entity: Entity): ScheduleEntry | UnreadableEntry {
  try {
    return readDue(entity);
  } catch (cause) {
    return { creationId: entity.rowKey, cause };
  }
}

/** Whether all outcomes to which the entry leads were listed, or got entries of their own, before it was written. */
function isAnnounced(entry: ScheduleEntry | UnreadableEntry): boolean {
  if ("cause" in entry || entry.session === undefined) return false;
  return entry.phase !== "collect" || entry.session.recorded !== undefined;
}
