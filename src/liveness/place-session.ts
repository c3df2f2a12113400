import { ApiError } from "../errors.ts";
import type { DeviceStore } from "./ports.ts";
import type { StoredSession } from "./session.ts";

/**
 * Puts a session whose device was set in the client where it belongs, as soon as somebody names the device: the service
 * with the result, or else the app.
 *
 * @param told by the service.
 * @param said by the app.
 * @throws ApiError 409 `DeviceMismatch` where the app means another device than the session's.
 */
export async function placeSession(
  devices: DeviceStore,
  stored: StoredSession,
  told: string | undefined,
  said: string | undefined,
): Promise<StoredSession> {
  const known = stored.record.deviceCorrelationId ?? (isDeviceId(told) ? told : undefined);
  if (said !== undefined && known !== undefined && said !== known) {
    throw new ApiError(409, "DeviceMismatch", "The session is another device's.");
  }
  const device = known ?? said;
  return device === undefined || stored.record.deviceCorrelationId !== undefined
    ? stored
    : devices.bindSession(stored, device);
}

function isDeviceId(text: string | undefined): text is string {
  return text !== undefined && text.length >= 1 && text.length <= 64 && text.isWellFormed();
}
