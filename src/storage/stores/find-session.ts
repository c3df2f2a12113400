import type { StoredSession } from "../../liveness/model/session.ts";
import type { StorageTables } from "../azure/connect.ts";
import { readPointer } from "../rows/other-rows.ts";
import { readSession } from "../rows/session-row.ts";

/** What the pointer of a session's id leads to. */
export type Found = { isPointed: false; stored?: never } | { isPointed: true; stored?: StoredSession };

/** Follows the pointer; and once more where it has led to nothing and been changed meanwhile, as a session was moved. */
export async function followPointer(
  { sessions, sessionIds }: Pick<StorageTables, "sessions" | "sessionIds">,
  sessionId: string,
): Promise<Found> {
  let seen: string | undefined;
  for (;;) {
    const pointer = await sessionIds.get(sessionId, sessionId);
    if (pointer === undefined) return { isPointed: false };
    const { partition, row, prunedOn } = readPointer(pointer);
    if (partition === seen) return { isPointed: true };
    const entity = await sessions.get(partition, row);
    if (entity !== undefined) {
      return { isPointed: true, stored: { ...readSession(entity), ...(prunedOn !== undefined && { prunedOn }) } };
    }
    seen = partition;
  }
}
