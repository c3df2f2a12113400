import { createHash } from "node:crypto";
import { ApiError } from "../../errors.ts";

/**
 * Continuation tokens of lists within a partition: the row after which the next page begins, with a mark of the list. The
 * partition itself always comes from the request.
 *
 * @param list name of the list, unique among all lists: the partition, or with the table in front.
 */
export function writePageToken(list: string, row: string): string {
  return Buffer.from(`${markOf(list)}${row}`, "utf8").toString("base64url");
}

const markLength = 16;

/** Rows that are listed: of sessions, and of the entries of users. */
const rowShape = /^(s_)?\d{13}_[0-9A-Za-z-]{1,64}$/;

/** The row of the token. Throws `ApiError` 400. */
export function readPageToken(list: string, token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  const row = text.slice(markLength);
  const isIssued = rowShape.test(row) && writePageToken(list, row) === token;
  if (!isIssued) {
    throw new ApiError(400, "BadArgument", "The continuation token is not one that this service has issued.");
  }
  return row;
}

function markOf(list: string): string {
  return createHash("sha256").update(list).digest("hex").slice(0, markLength);
}
