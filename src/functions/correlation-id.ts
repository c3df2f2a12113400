import * as z from "zod";
import { invalidDeviceCorrelationId } from "../api-errors.ts";
import { isCorrelationId, maxCorrelationIdLength } from "../face/model.ts";

/** An id of a device or a user in a path or a query. The lengths are documentation only, since errors have codes of their own. */
export const correlationId = z.string().meta({ minLength: 1, maxLength: maxCorrelationIdLength });

/** @throws ApiError 400 `InvalidDeviceCorrelationId` */
export function checkDeviceId(device: string): string {
  if (!isCorrelationId(device)) throw invalidDeviceCorrelationId();
  return device;
}
