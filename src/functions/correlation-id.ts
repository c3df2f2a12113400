import * as z from "zod";
import { invalidDeviceCorrelationId } from "../api-errors.ts";
import { isCorrelationId, maxCorrelationIdLength } from "../face/model.ts";

/** An id of a device or a user in a path or a query. The lengths are documentation only, since errors have codes of their own. */
export const correlationId = z.string().meta({ minLength: 1, maxLength: maxCorrelationIdLength });

/** The id in the query if the path has `-`, for ids that a path cannot contain; else that in the path. */
export function idOf(inPath: string, inQuery: string | undefined): string {
  return inPath === "-" ? (inQuery ?? inPath) : inPath;
}

/** @throws ApiError 400 `InvalidDeviceCorrelationId` */
export function checkDeviceId(device: string): string {
  if (!isCorrelationId(device)) throw invalidDeviceCorrelationId();
  return device;
}
