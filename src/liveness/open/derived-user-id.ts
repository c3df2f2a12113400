import { createHmac } from "node:crypto";
import type { Caller } from "../model/caller.ts";

/** What a user id can be derived from, in order of preference: a signed-in user, the device, the creation. */
export interface UserIdSource {
  caller: Pick<Caller, "trusted" | "owner">;
  deviceCorrelationId?: string | undefined;
  creationId: string;
}

/**
 * The user id for a session whose creation names no user, because the caller's dialect has no such field, or whose
 * creator is a signed-in user. The id is a keyed hash, which reveals neither principals nor device ids to the service, and
 * the same for all sessions of a user or device.
 *
 * A trusted service's own principal counts as no user: the service would see one user for all the people whom it checks, and
 * a single flagged session would block them all.
 *
 * @param key the operator's secret. Another key changes all derived ids.
 * @returns a GUID of version 8 in lower case.
 */
export function deriveUserId(key: string, source: UserIdSource): string {
  const bytes = createHmac("sha256", key).update(nameSource(source)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The prefix keeps an owner, a device and a creation with the same text apart. */
function nameSource({ caller, deviceCorrelationId, creationId }: UserIdSource): string {
  if (!caller.trusted && caller.owner !== undefined) return `owner:${caller.owner}`;
  return deviceCorrelationId === undefined ? `creation:${creationId}` : `device:${deviceCorrelationId}`;
}
