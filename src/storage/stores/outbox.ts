import {
  type DeliveryEntry,
  type DeliverySchedule,
  eventTime,
  type Outbox,
  type StoredEvent,
  subjectOf,
} from "../../liveness/model/events.ts";
import type { UnreadableEntry } from "../../liveness/model/schedule.ts";
import { keysOnly, readAll } from "../azure/query.ts";
import type { StorageTables } from "../azure/table.ts";
import { removeKeys } from "../azure/transactions.ts";
import { eventOfRow, eventPartition, eventRows } from "../rows/event-keys.ts";
import {
  deliveryKeys,
  deliveryRows,
  eventKeys,
  placeOf,
  readDeliveryEntry,
  readEvent,
  writeDeliveryEntry,
  writeDeliveryState,
  writeEvent,
} from "../rows/event-rows.ts";
import { readPlace, sessionPartition } from "../rows/keys.ts";
import { createDueRows, dueAt } from "./due-rows.ts";

/** Events in the table `sessions`. The events of outcomes are stored by `Sessions.update`. */
export function createOutbox({ sessions }: StorageTables, schedule: Pick<DeliverySchedule, "put">): Outbox {
  return {
    async get(ref): Promise<StoredEvent | undefined> {
      const { partition, row } = eventKeys(ref);
      const entity = await sessions.get(partition, row);
      return entity && readEvent(entity);
    },
    async put(event) {
      const stored = { ...event, place: placeOf(eventPartition(event.id)) };
      await schedule.put([{ ...stored, dueOn: stored.occurredOn }]);
      await sessions.put(writeEvent(stored));
      return stored;
    },
    mark: (ref, state) => sessions.merge(writeDeliveryState(ref, state)),
    async ofSession({ place, creationId, sessionId }) {
      const partitions = new Set([readPlace(place).partition, sessionPartition(creationId)]);
      const select = keysOnly;
      const found = [...partitions].map((PartitionKey) => {
        const where = { PartitionKey, RowKey: eventRows, subject: subjectOf(sessionId) };
        return readAll(sessions.query({ where, select }), ({ partitionKey, rowKey }) => {
          const event = eventOfRow(rowKey);
          return event === undefined ? [] : { ...event, place: placeOf(partitionKey) };
        });
      });
      return (await Promise.all(found)).flat(2);
    },
    async remove(refs) {
      await removeKeys(sessions, refs.map(eventKeys));
    },
  };
}

/** The schedule of deliveries in the table `expiry`, under the ids of the events. */
export function createDeliverySchedule({ expiry }: StorageTables): DeliverySchedule {
  type Key = Pick<DeliveryEntry, "id" | "dueOn">;
  const { put, move, remove } = createDueRows<Key, DeliveryEntry>(expiry, deliveryKeys, writeDeliveryEntry);
  return {
    put,
    move,
    dueEntries,
    async hasAny(entries) {
      for (const { partition, row } of entries.map(deliveryKeys)) {
        if ((await expiry.get(partition, row)) !== undefined) return true;
      }
      return false;
    },
    async first(id) {
      const dueOn = eventTime(id);
      if (dueOn === undefined) return undefined;
      const { partition, row } = deliveryKeys({ id, dueOn });
      const entity = await expiry.get(partition, row);
      return entity && readDeliveryEntry(entity);
    },
    async remove(entries) {
      await remove(entries);
    },
  };

  async function* dueEntries(shard: number, now: string): AsyncIterable<DeliveryEntry | UnreadableEntry> {
    const { where, ...due } = dueAt(shard, now);
    for await (const entity of expiry.query({ ...due, where: { ...where, ...deliveryRows } })) {
      try {
        yield readDeliveryEntry(entity);
      } catch (cause) {
        yield { creationId: entity.rowKey, cause };
      }
    }
  }
}
