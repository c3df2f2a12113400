import type { CreationKey } from "./creations.ts";
import type { Admit, Guard, GuardEdit } from "./guard.ts";
import type { HeldImageName } from "./images.ts";
import type { ItemRef, Place, Version } from "./references.ts";
import type { StoredSession } from "./session.ts";

/** Everything stored for a device that an erasure removes. */
export interface DeviceContents {
  /** Keys without a session: creations in progress, crashed or taken over. */
  keys: { key: CreationKey; place: Place }[];
  sessions: StoredSession[];
  /** Held images that have been bound to the device, with the versions of these notes. */
  boundImages: { name: HeldImageName; version: Version }[];
  /** Guards, and audit entries and events whose session is gone. */
  leftovers: ItemRef[];
  isEmpty: boolean;
}

/** Guards of devices and of signed-in users; images that are bound to devices; everything stored for a device. */
export interface Devices {
  /** The guard that counts the session. */
  guardOf(stored: StoredSession): Promise<{ guard: Guard; version: Version } | undefined>;
  /** Edits all guards of a device; retried after concurrent writes. A guard that counts nothing is removed. */
  editGuards(deviceCorrelationId: string, edit: GuardEdit): Promise<void>;
  /** Edits the guard of a user's sessions on all devices, like `editGuards`. */
  editOwnerGuard(owner: string, edit: GuardEdit): Promise<void>;
  /**
   * Moves a session with `isMoving` to the device that its record names. A repeat finishes an interrupted move.
   *
   * @param count adds the session to its guard at the device. A repeat does not add it again.
   * @param refund removes the session from that guard again, if the session was erased concurrently.
   * @returns undefined if the session was erased concurrently.
   */
  bindSession(stored: StoredSession, count: Admit, refund: GuardEdit): Promise<StoredSession | undefined>;
  /** Notes that a held image is bound to the device, since `boundOn` (RFC 3339). Returns the note's new version. */
  bindImage(deviceCorrelationId: string, name: HeldImageName, boundOn: string): Promise<Version>;
  /** Removes the note if it still has this version. */
  unbindImage(deviceCorrelationId: string, name: HeldImageName, version: Version): Promise<void>;
  contentsOf(deviceCorrelationId: string): Promise<DeviceContents>;
  /** Removes the guards, and the remains of an interrupted purge or move. */
  dropRest(contents: DeviceContents): Promise<void>;
}
