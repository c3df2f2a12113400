import { deviceMismatch } from "../../api-errors.ts";
import { isCorrelationId } from "../../face/model.ts";
import type { Clock } from "../model/clock.ts";
import type { Devices } from "../model/devices.ts";
import type { StoredSession } from "../model/session.ts";
import type { Sessions } from "../model/sessions.ts";
import { countBound, type Limits, refundCreation } from "../open/limits.ts";
import { updateRecord } from "./update-record.ts";

export interface BindDeviceDeps {
  sessions: Sessions;
  devices: Devices;
  now: Clock;
  limits: Limits;
}

/**
 * Moves a session whose device was set in the client to that device, as soon as the device is known: by the service's
 * result, or else from the app. From then on it counts among the device's sessions. The device is written to the record
 * first. Of two callers with different devices one succeeds, and a move that was interrupted is finished by the next
 * caller.
 *
 * @param fromService the device that the service reports.
 * @param fromApp the device that the app sends.
 * @returns undefined where the session was erased meanwhile.
 * @throws ApiError 409 `DeviceMismatch` where the app means another device than the session's.
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

/** The session with its device on record, which another caller may have written; wherever it has been moved since. */
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
  if (fromApp !== undefined && device !== undefined && fromApp !== device) {
    throw deviceMismatch();
  }
}
