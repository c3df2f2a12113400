import * as z from "zod";
import { invalidDeviceCorrelationId } from "../api-errors.ts";
import { isDeviceId, maxDeviceIdLength } from "../face/model.ts";

/** A device id in a path or a query. The lengths are documentation only; `checkDeviceId` checks, for an error of its own. */
export const deviceId = z.string().meta({ minLength: 1, maxLength: maxDeviceIdLength });

/** @throws ApiError 400 `InvalidDeviceCorrelationId` */
export function checkDeviceId(device: string): string {
  if (!isDeviceId(device)) throw invalidDeviceCorrelationId();
  return device;
}
