import type { DueRow, SessionStore } from "../liveness/ports.ts";
import type { StorageConnection } from "./connect.ts";
import { duePartitions } from "./keys.ts";
import { odata } from "./odata.ts";
import { readDue, writeDue } from "./small-rows.ts";
import { removeRows } from "./transactions.ts";

type ExpiryStore = Pick<SessionStore, "schedule" | "dueRows" | "unschedule">;

/** The calendar of the timer: which session is to be looked at when. */
export function createExpiryStore({ expiry }: StorageConnection): ExpiryStore {
  return { schedule, dueRows, unschedule };

  async function schedule(due: DueRow): Promise<void> {
    await expiry.put(writeDue(due));
  }

  async function* dueRows(shard: number, now: string): AsyncIterable<DueRow> {
    const { from, through } = duePartitions(shard, now);
    // Within the bucket that has just begun, some are due later: times of one form sort as text.
    const filter = odata`PartitionKey ge ${from} and PartitionKey le ${through} and dueOn le ${now}`;
    for await (const entity of expiry.query({ filter })) yield readDue(entity);
  }

  async function unschedule(rows: Parameters<ExpiryStore["unschedule"]>[0]): Promise<void> {
    const partitions = Map.groupBy(rows, ({ expiryPartition }) => expiryPartition);
    await Promise.all(
      partitions.entries().map(async ([partition, dueRows]) => {
        const ids = [...new Set(dueRows.map(({ creationId }) => creationId))];
        await removeRows(expiry, partition, ids);
      }),
    );
  }
}
