import type { TransactionAction } from "@azure/data-tables";
import type { SessionStore } from "../../liveness/model/ports.ts";
import type { DuePlace, DueRow, UnreadableRow } from "../../liveness/model/schedule.ts";
import type { StorageTables } from "../azure/connect.ts";
import type { Query } from "../azure/query.ts";
import type { Entity } from "../azure/table.ts";
import { inTransactions, removeRows } from "../azure/transactions.ts";
import { bucketStart, duePartitions, shardOf, shardPartitions } from "../rows/keys.ts";
import { readDue, writeDue } from "../rows/other-rows.ts";

type ExpiryStore = Pick<
  SessionStore,
  "schedule" | "dueRows" | "dueRow" | "oldestDue" | "unschedule" | "dropSchedule" | "unscheduled"
>;

/** Rows of a shard that are read at a time: sixteen shards are read at once. */
const pageSize = 500;
const shards = Array.from({ length: 16 }, (_, shard) => shard);

/** The calendar of the timer: which session is to be looked at when. */
export function createExpiryStore({ expiry }: StorageTables): ExpiryStore {
  return { schedule, dueRows, dueRow, oldestDue, unscheduled, unschedule, dropSchedule };

  async function schedule(...rows: readonly DueRow[]): Promise<void> {
    await Promise.all(
      Map.groupBy(rows, ({ expiryPartition }) => expiryPartition)
        .values()
        .map(async (bucket) => {
          const entities = bucket.map(writeDue);
          const [only] = entities;
          if (only !== undefined && entities.length === 1) await expiry.put(only);
          else await Promise.all(inTransactions(entities.map(toUpsert)).map(write));
        }),
    );
  }

  async function write(actions: TransactionAction[]): Promise<void> {
    const { conflict } = await expiry.transact(actions);
    if (conflict !== undefined) throw new Error(`Rows could not be written to ${expiry.name}: ${conflict.reason}`);
  }

  async function* dueRows(shard: number, now: string): AsyncIterable<DueRow | UnreadableRow> {
    for await (const entity of expiry.query({ ...dueAt(shard, now), pageSize })) {
      // One that cannot be read must not keep those behind it from being reached.
      yield readOrTell(entity);
    }
  }

  async function dueRow({ expiryPartition, creationId }: DuePlace): Promise<DueRow | undefined> {
    const entity = await expiry.get(expiryPartition, creationId);
    return entity && readDue(entity);
  }

  async function oldestDue(now: string): Promise<string | undefined> {
    const times = await Promise.all(
      shards.map(async (shard) => {
        const select = ["PartitionKey", "RowKey", "dueOn"];
        for await (const entity of expiry.query({ ...dueAt(shard, now), select, pageSize: 1 })) {
          return typeof entity.dueOn === "string" ? entity.dueOn : bucketStart(entity.partitionKey);
        }
        return undefined;
      }),
    );
    return times.filter((time) => time !== undefined).sort()[0];
  }

  async function unscheduled(creationIds: readonly string[], until: string): Promise<Set<string>> {
    const lost = new Set(creationIds);
    const concerned = new Set(creationIds.map((creationId) => shardOf(creationId)));
    await Promise.all(
      concerned.values().map(async (shard) => {
        const query = { ...dueAt(Number.parseInt(shard, 16), until), select: ["PartitionKey", "RowKey"] };
        for await (const { rowKey } of expiry.query(query)) lost.delete(rowKey);
      }),
    );
    return lost;
  }

  async function unschedule(rows: readonly DuePlace[]): Promise<DuePlace[]> {
    const gone = await Promise.all(
      Map.groupBy(rows, ({ expiryPartition }) => expiryPartition)
        .entries()
        .map(async ([expiryPartition, bucket]) => {
          const ids = [...new Set(bucket.map(({ creationId }) => creationId))];
          const missing = await removeRows(expiry, expiryPartition, ids);
          return missing.map((creationId) => ({ expiryPartition, creationId }));
        }),
    );
    return gone.flat();
  }

  async function dropSchedule(creationId: string): Promise<void> {
    const where = { PartitionKey: shardPartitions(creationId), RowKey: creationId };
    for await (const { partitionKey, rowKey } of expiry.query({ where, select: ["PartitionKey", "RowKey"] })) {
      await expiry.remove(partitionKey, rowKey);
    }
  }
}

function readOrTell(entity: Entity): DueRow | UnreadableRow {
  try {
    return readDue(entity);
  } catch (cause) {
    return { expiryPartition: entity.partitionKey, creationId: entity.rowKey, cause };
  }
}

/** Within the bucket that has just begun, some are due later: times of one form sort as text. */
function dueAt(shard: number, now: string): Query {
  const { from, through } = duePartitions(shard, now);
  return {
    where: { PartitionKey: { from, through } },
    anyOf: [{ PartitionKey: { before: through } }, { dueOn: { through: now } }],
  };
}

function toUpsert(entity: ReturnType<typeof writeDue>): TransactionAction {
  return ["upsert", entity, "Replace"];
}
