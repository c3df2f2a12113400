import { createHash } from "node:crypto";
import { ApiError } from "../../errors.ts";
import type { Page } from "../../liveness/model/page.ts";
import type { SessionRecord } from "../../liveness/model/session.ts";
import type { Sessions } from "../../liveness/model/sessions.ts";
import type { StorageTables } from "../azure/connect.ts";
import { devicePartition, sessionRows } from "../rows/keys.ts";
import { locationOf } from "../rows/references.ts";
import { readSession } from "../rows/session-row.ts";

/** The sessions of a device, page by page. */
export function createDeviceSessions({ sessions }: StorageTables): Pick<Sessions, "ofDevice"> {
  return { ofDevice };

  async function ofDevice(
    deviceCorrelationId: string,
    top: number,
    continuationToken?: string,
    owner?: string,
  ): Promise<Page<SessionRecord>> {
    const partition = devicePartition(deviceCorrelationId);
    const { from, before } = sessionRows;
    const after = continuationToken === undefined ? from : readToken(partition, continuationToken);
    const where = { PartitionKey: partition, RowKey: { after, before }, ...(owner !== undefined && { owner }) };
    // One more row shows whether there is a next page.
    const found = [];
    for await (const entity of sessions.query({ where, pageSize: top + 1 })) {
      found.push(readSession(entity));
      if (found.length > top) break;
    }
    const items = found.slice(0, top);
    const last = items.at(-1);
    return {
      items: items.map(({ record }) => record),
      ...(found.length > top && last !== undefined
        ? { continuationToken: writeToken(partition, locationOf(last).row) }
        : {}),
    };
  }
}

/**
 * The token is a place in the order of the rows and a mark of the partition that it was made for. The partition itself
 * always comes from the request, and nothing but a row key that could be ours gets into the query.
 */
function writeToken(partition: string, row: string): string {
  return Buffer.from(`${markOf(partition)}${row}`, "utf8").toString("base64url");
}

const markLength = 16;

/** The row after which the page begins. Throws `ApiError` 400. */
function readToken(partition: string, token: string): string {
  const text = Buffer.from(token, "base64url").toString("utf8");
  const row = text.slice(markLength);
  const ours = text.slice(0, markLength) === markOf(partition) && /^s_\d{13}_[0-9A-Za-z-]{1,64}$/.test(row);
  if (!ours || writeToken(partition, row) !== token) {
    throw new ApiError(400, "BadArgument", "The continuation token is not one that this service has issued.");
  }
  return row;
}

function markOf(partition: string): string {
  return createHash("sha256").update(partition).digest("hex").slice(0, markLength);
}
