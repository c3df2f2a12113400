import type { TransactionAction } from "@azure/data-tables";
import type { EntryKey, Move, Schedule, ScheduleEntry, UnreadableEntry } from "../../liveness/model/schedule.ts";
import { keysOnly, type Query } from "../azure/query.ts";
import type { Entity, StorageTables } from "../azure/table.ts";
import { inTransactions, removeRows } from "../azure/transactions.ts";
import { bucketStart, duePartitions, expiryPartition, shardOf, shardPartitions } from "../rows/keys.ts";
import { readDue, writeDue } from "../rows/rows.ts";

/** Rows per page. All sixteen shards may be read concurrently. */
const pageSize = 500;
const shards = Array.from({ length: 16 }, (_, shard) => shard);

/** The schedule in the table `expiry`. Rows of one bucket are written and removed in as few transactions as possible. */
export function createSchedule({ expiry }: StorageTables): Schedule {
  return { put, move, dueRows, get, oldestDue, missing, remove, removeAll };

  async function put(...rows: readonly ScheduleEntry[]): Promise<void> {
    await Promise.all(
      Map.groupBy(rows, bucketOf)
        .values()
        .map(async (bucket) => {
          // A transaction cannot contain a row twice: the last row of a creation wins.
          const rowOf = new Map(bucket.map((row) => [row.creationId, writeDue(row)]));
          const entities = [...rowOf.values()];
          const [only] = entities;
          if (only !== undefined && entities.length === 1) await expiry.put(only);
          else await Promise.all(inTransactions(entities.map(toUpsert)).map(write));
        }),
    );
  }

  async function move<T extends Move>(moves: readonly T[]): Promise<T[]> {
    await put(...moves.flatMap(({ next }) => next ?? []));
    const leaving = moves.filter(({ due, next }) => next === undefined || bucketOf(due) !== bucketOf(next));
    const gone = new Set(await remove(leaving.map(({ due }) => due)));
    return leaving.filter(({ due }) => gone.has(due));
  }

  async function write(actions: TransactionAction[]): Promise<void> {
    const { conflict } = await expiry.transact(actions);
    if (conflict !== undefined) throw new Error(`Rows could not be written to ${expiry.name}: ${conflict.reason}`);
  }

  async function* dueRows(shard: number, now: string): AsyncIterable<ScheduleEntry | UnreadableEntry> {
    for await (const entity of expiry.query({ ...dueAt(shard, now), pageSize })) {
      // A row that cannot be read must not hide the rows after it.
      yield readOrReport(entity);
    }
  }

  async function get(row: EntryKey): Promise<ScheduleEntry | undefined> {
    const entity = await expiry.get(bucketOf(row), row.creationId);
    return entity && readDue(entity);
  }

  async function oldestDue(now: string): Promise<string | undefined> {
    const times = await Promise.all(
      shards.map(async (shard) => {
        const select = [...keysOnly, "dueOn"];
        for await (const entity of expiry.query({ ...dueAt(shard, now), select, pageSize: 1 })) {
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

  async function remove<T extends EntryKey>(rows: readonly T[]): Promise<T[]> {
    const gone = await Promise.all(
      Map.groupBy(rows, bucketOf)
        .entries()
        .map(async ([partition, bucket]) => {
          const missing = await removeRows(expiry, partition, [...new Set(bucket.map(({ creationId }) => creationId))]);
          return bucket.filter(({ creationId }) => missing.includes(creationId));
        }),
    );
    return gone.flat();
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

/** Rows of a shard that are due at `now`. Times in this format sort as text. */
function dueAt(shard: number, now: string): Query {
  const { from, through } = duePartitions(shard, now);
  return {
    where: { PartitionKey: { from, through } },
    anyOf: [{ PartitionKey: { before: through } }, { dueOn: { through: now } }],
  };
}

function bucketOf({ creationId, dueOn }: EntryKey): string {
  return expiryPartition(creationId, dueOn);
}

function toUpsert(entity: ReturnType<typeof writeDue>): TransactionAction {
  return ["upsert", entity, "Replace"];
}
