import type { Page } from "../../liveness/model/page.ts";
import type { SessionRecord } from "../../liveness/model/session.ts";
import type { Sessions } from "../../liveness/model/sessions.ts";
import type { StorageTables } from "../azure/connect.ts";
import { devicePartition, sessionRows } from "../rows/keys.ts";
import { readPageToken, writePageToken } from "../rows/page-token.ts";
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
    const after = continuationToken === undefined ? from : readPageToken(partition, continuationToken);
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
        ? { continuationToken: writePageToken(partition, locationOf(last).row) }
        : {}),
    };
  }
}
