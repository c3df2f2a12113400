import { createHash } from "node:crypto";
import { compact } from "../../compact.ts";
import { ApiError } from "../../errors.ts";
import type { Page } from "../../liveness/model/page.ts";
import { readFirst } from "../azure/query.ts";
import type { Entity, Table } from "../azure/table.ts";

export interface ListedRows {
  /** Name of the list, unique among all lists: the partition, or with the table in front. */
  list: string;
  partition: string;
  /** The rows of the list within the partition; `after` is the prefix of their keys. */
  rows: { after: string; before?: string };
  /** Only rows of this principal. */
  owner?: string | undefined;
  top: number;
  continuationToken?: string | undefined;
}

/** A page of a list within a partition, in the order of the rows. Throws `ApiError` 400 for a token of another list. */
export async function readListPage<T>(
  table: Pick<Table, "query">,
  { list, partition, rows, owner, top, continuationToken }: ListedRows,
  read: (entity: Entity) => T,
): Promise<Page<T>> {
  const after = continuationToken === undefined ? rows.after : readPageToken(list, continuationToken, rows.after);
  const where = compact({ PartitionKey: partition, RowKey: { ...rows, after }, owner });
  // One row more than requested shows whether there is a next page.
  const found = await readFirst(table.query({ where, pageSize: top + 1 }), top + 1);
  const items = found.slice(0, top);
  const last = found.length > top ? items.at(-1) : undefined;
  return compact({ items: items.map(read), continuationToken: last && writePageToken(list, last.rowKey) });
}

/**
 * Continuation token of a list within a partition: a hash of the list's name, and the row after which the next page begins.
 * The partition itself always comes from the request.
 *
 * @param list name of the list, unique among all lists: the partition, or with the table in front.
 */
export function writePageToken(list: string, row: string): string {
  return Buffer.from(`${hashOf(list)}${row}`, "utf8").toString("base64url");
}

const hashLength = 16;

/** Keys of rows in lists, after their prefix: a time, and the id of a creation or an event. */
const rowShape = /^\d{13}_[0-9A-Za-z-]{1,64}$/;

/** The row of the token. Throws `ApiError` 400. @param prefix of all rows of the list. */
export function readPageToken(list: string, token: string, prefix = ""): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  const row = text.slice(hashLength);
  const isListed = row.startsWith(prefix) && rowShape.test(row.slice(prefix.length));
  const isIssued = isListed && writePageToken(list, row) === token;
  if (!isIssued) {
    throw new ApiError(400, "BadArgument", "The continuation token is not one that this service has issued.");
  }
  return row;
}

function hashOf(list: string): string {
  return createHash("sha256").update(list).digest("hex").slice(0, hashLength);
}
