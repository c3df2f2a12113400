import { compact } from "../../compact.ts";
import { eventTime } from "../../liveness/model/events.ts";
import type { EventIndex } from "../../liveness/model/outcome-index.ts";
import { readFirst } from "../azure/query.ts";
import type { StorageTables } from "../azure/table.ts";
import { putRows, removeKeys } from "../azure/transactions.ts";
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
      await putRows(outcomes, refs.map(writeEventRef));
    },
    async remove(refs) {
      await removeKeys(outcomes, refs.map(listedEventKeys));
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
      const found = await readFirst(outcomes.query({ where, pageSize: top }), top);
      const end = found.at(-1)?.rowKey;
      const continuationToken = end === undefined ? after : writePageToken(list, end);
      return compact({ items: found.map(readEventRef), continuationToken });
    },
  };
}
