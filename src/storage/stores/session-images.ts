import type { SessionImages } from "../../liveness/model/session-images.ts";
import type { StorageTables } from "../azure/table.ts";
import { imageLinkKey } from "../rows/keys.ts";

export function createSessionImages({ sessionIds, now }: StorageTables): SessionImages {
  return {
    async link(sessionImageId, sessionId) {
      const key = imageLinkKey(sessionImageId);
      const createdOn = new Date(now()).toISOString();
      await sessionIds.put({ partitionKey: key, rowKey: key, kind: "sessionImage", sessionId, createdOn });
    },
    async sessionOf(sessionImageId) {
      const key = imageLinkKey(sessionImageId);
      const sessionId = (await sessionIds.get(key, key))?.sessionId;
      return typeof sessionId === "string" ? sessionId : undefined;
    },
    async unlink(sessionImageId) {
      const key = imageLinkKey(sessionImageId);
      await sessionIds.remove(key, key);
    },
  };
}
