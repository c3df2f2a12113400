import { deviceMismatch } from "../../api-errors.ts";
import { isCorrelationId } from "../../face/model.ts";
import type { Ports } from "../model/ports.ts";
import type { StoredSession } from "../model/session.ts";
import type { Sessions } from "../model/sessions.ts";
import { countBound, refundCreation } from "../open/limits.ts";
import { updateRecord } from "./update-record.ts";

export type BindDeviceDeps = Pick<Ports, "sessions" | "devices" | "now" | "limits">;

/**
 * Moves a session whose device was set in the client to that device, as soon as the service's result or the app names it.
 * The session then counts among the device's sessions. The device is written to the record first, so that of two
 * callers with different devices only one succeeds. The next caller finishes an interrupted move.
 *
 * @param fromService the device that the service reports.
 * @param fromApp the device that the app sends.
 * @returns undefined if the session was erased concurrently.
 * @throws ApiError `DeviceMismatch` if the app names another device than the session's.
 */
export async function bindDevice(
  { sessions, devices, now, limits }: BindDeviceDeps,
  stored: StoredSession,
  fromService?: string,
  fromApp?: string,
): Promise<StoredSession | undefined> {
  const known =
    stored.record.deviceCorrelationId ??
    (fromService !== undefined && isCorrelationId(fromService) ? fromService : undefined);
  refuseAnother(known, fromApp);
  const device = known ?? fromApp;
  const isNamed = stored.record.deviceCorrelationId !== undefined;
  if (device === undefined || (isNamed && !stored.isMoving)) return stored;
  const named = isNamed ? stored : await nameDevice(sessions, stored, device);
  refuseAnother(named?.record.deviceCorrelationId, fromApp);
  if (named === undefined) return undefined;
  const { createdOn } = named.record;
  return devices.bindSession(
    named,
    (guard) => countBound(guard, createdOn, now(), limits),
    (guard) => refundCreation(guard, createdOn, now()),
  );
}

/** Writes the device to the record, unless a concurrent caller has named another. Also finds a session that was moved. */
async function nameDevice(
  sessions: Sessions,
  stored: StoredSession,
  deviceCorrelationId: string,
): Promise<StoredSession | undefined> {
  const named = await updateRecord(sessions, stored, (record) =>
    record.deviceCorrelationId === undefined ? { record: { ...record, deviceCorrelationId } } : undefined,
  );
  return named ?? sessions.find(stored.record.sessionId);
}

function refuseAnother(device: string | undefined, fromApp: string | undefined): void {
  if (fromApp !== undefined && device !== undefined && fromApp !== device) throw deviceMismatch();
}
