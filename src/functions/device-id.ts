import * as z from "zod";
import { invalidDeviceCorrelationId } from "../api-errors.ts";
import { isCorrelationId, maxCorrelationIdLength } from "../face/model.ts";

/** A device id in a path or a query. The lengths are documentation only; `checkDeviceId` checks, for an error of its own. */
export const deviceId = z.string().meta({ minLength: 1, maxLength: maxCorrelationIdLength });

/** @throws ApiError 400 `InvalidDeviceCorrelationId` */
export function checkDeviceId(device: string): string {
  if (!isCorrelationId(device)) throw invalidDeviceCorrelationId();
  return device;
}
