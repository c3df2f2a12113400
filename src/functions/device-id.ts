import * as z from "zod";
import { invalidDeviceCorrelationId } from "../api-errors.ts";

const lengths = { minLength: 1, maxLength: 64 };

/** A device as a path or a query names it. The lengths are told, not checked: see `checkDeviceId`. */
export const deviceId = z.string().meta(lengths);

/**
 * The id, where it can be one: 1 to 64 UTF-16 code units of well-formed Unicode.
 *
 * @throws ApiError 400 `InvalidDeviceCorrelationId`, wherever the id stands.
 */
export function checkDeviceId(device: string): string {
  const fits = device.length >= lengths.minLength && device.length <= lengths.maxLength && device.isWellFormed();
  if (!fits) throw invalidDeviceCorrelationId();
  return device;
}
