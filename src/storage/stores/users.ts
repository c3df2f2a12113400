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
import { readListPage } from "../rows/page-token.ts";
import { readRow, writeRow } from "../rows/row.ts";

/** `partition` and `row` are the keys of the session's record, which may not exist yet. */
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
    async page(userCorrelationId, query) {
      const partition = userPartition(userCorrelationId);
      // No partition has a slash: tokens of a device's list are not valid here.
      const listed = { ...query, list: `users/${partition}`, partition, rows: { after: "" } };
      return readListPage(users, listed, readEntry);
    },
  };
}

function readEntry(entity: Entity): UserEntry {
  const { partition, idempotencyRowKey } = readRow(entrySchema, entity);
  const place = writePlace({ partition, idempotencyRowKey });
  return { place, ...creationOfEntry(entity.rowKey), version: versionOf(entity.etag) };
}
