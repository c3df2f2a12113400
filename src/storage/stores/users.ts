import * as z from "zod";
import type { UserEntry, Users } from "../../liveness/model/users.ts";
import type { Entity, StorageTables } from "../azure/table.ts";
import {
  creationOfEntry,
  readPlace,
  recordKeys,
  userEntryRow,
  userPartition,
  versionOf,
  writePlace,
} from "../rows/keys.ts";
import { readPageToken, writePageToken } from "../rows/page-token.ts";
import { readRow, writeRow } from "../rows/row.ts";

/** `partition` and `row` are where the session's record is; it may not exist yet. */
const entrySchema = z.object({ partition: z.string(), row: z.string(), idempotencyRowKey: z.string() });

/** The table `users`: one row for each creation that named a user. */
export function createUsers({ users }: StorageTables): Users {
  return {
    async put(userCorrelationId, at, owner) {
      const { idempotencyRowKey } = readPlace(at.place);
      const values = { ...recordKeys(at), idempotencyRowKey, owner };
      await users.put(writeRow(userPartition(userCorrelationId), userEntryRow(at), values));
    },
    async get(userCorrelationId, at) {
      const entity = await users.get(userPartition(userCorrelationId), userEntryRow(at));
      return entity && readEntry(entity);
    },
    async remove(userCorrelationId, at, version) {
      const removed = await users.remove(userPartition(userCorrelationId), userEntryRow(at), version);
      return removed === "removed";
    },
    async page(userCorrelationId, { top, continuationToken, owner }) {
      const partition = userPartition(userCorrelationId);
      // No partition has a slash: tokens of a device's list are not valid here.
      const list = `users/${partition}`;
      const after = continuationToken === undefined ? "" : readPageToken(list, continuationToken);
      const where = { PartitionKey: partition, RowKey: { after }, ...(owner !== undefined && { owner }) };
      const found: Entity[] = [];
      // One more row shows whether there is a next page.
      for await (const entity of users.query({ where, pageSize: top + 1 })) {
        found.push(entity);
        if (found.length > top) break;
      }
      const items = found.slice(0, top);
      const last = items.at(-1);
      const hasMore = found.length > top && last !== undefined;
      return {
        items: items.map(readEntry),
        ...(hasMore && { continuationToken: writePageToken(list, last.rowKey) }),
      };
    },
  };
}

function readEntry(entity: Entity): UserEntry {
  const { partition, idempotencyRowKey } = readRow(entrySchema, entity);
  const place = writePlace({ partition, idempotencyRowKey });
  return { place, ...creationOfEntry(entity.rowKey), version: versionOf(entity.etag) };
}
