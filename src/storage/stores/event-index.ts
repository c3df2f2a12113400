import { compact } from "../../compact.ts";
import { type EventRef, eventTime } from "../../liveness/model/events.ts";
import type { EventIndex } from "../../liveness/model/outcome-index.ts";
import type { Entity, StorageTables } from "../azure/table.ts";
import { inTransactions, removeRows } from "../azure/transactions.ts";
import {
  eventDayPartition,
  eventTimeOf,
  listedEventKeys,
  readEventRef,
  timeKey,
  writeEventRef,
} from "../rows/index-rows.ts";
import { readPageToken, writePageToken } from "../rows/page-token.ts";

/** Name of the list in its cursors. No partition of a device has a slash. */
const list = "outcomes/events";

/** The events in the table `outcomes`. */
export function createEventIndex({ outcomes }: Pick<StorageTables, "outcomes">): EventIndex {
  return {
    async put(refs) {
      for (const rows of byPartition(refs).values()) {
        for (const actions of inTransactions(rows.map((ref) => ["upsert", writeEventRef(ref), "Replace"] as const))) {
          const { conflict } = await outcomes.transact(actions.map((action) => [...action]));
          if (conflict !== undefined) throw new Error(`Events could not be listed: ${conflict.reason}`);
        }
      }
    },
    async remove(refs) {
      for (const [partition, rows] of byPartition(refs)) {
        await removeRows(
          outcomes,
          partition,
          rows.map((ref) => listedEventKeys(ref).row),
        );
      }
    },
    async find(id) {
      const occurredOn = eventTime(id);
      if (occurredOn === undefined) return undefined;
      const { partition, row } = listedEventKeys({ id, occurredOn });
      const entity = await outcomes.get(partition, row);
      return entity && readEventRef(entity);
    },
    async page({ after, before, top }) {
      const last = after === undefined ? undefined : readPageToken(list, after);
      const from = last === undefined ? "events_" : eventDayPartition(eventTimeOf(last));
      const where = {
        PartitionKey: { from, through: eventDayPartition(before) },
        RowKey: compact({ after: last, before: timeKey(before) }),
      };
      const found: Entity[] = [];
      for await (const entity of outcomes.query({ where, pageSize: top })) {
        found.push(entity);
        if (found.length === top) break;
      }
      const end = found.at(-1)?.rowKey;
      const continuationToken = end === undefined ? after : writePageToken(list, end);
      return compact({ items: found.map(readEventRef), continuationToken });
    },
  };
}

function byPartition(refs: readonly EventRef[]): Map<string, EventRef[]> {
  const unique = new Map(refs.map((ref) => [ref.id, ref]));
  return Map.groupBy(unique.values(), (ref) => listedEventKeys(ref).partition);
}
