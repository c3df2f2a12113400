import * as z from "zod";
import { ApiError } from "../errors.ts";

/** How a request says that it may be sent again. */
export interface Repeatability {
  /** What a repeat has in common with the first request. */
  idempotencyKey: string;
  /** Response headers that answer it. */
  headers: Record<string, string>;
}

/** Printable ASCII: a UUID, most often. */
const keyShape = /^[\x21-\x7e]{1,256}$/;

/** The headers that a request may say it with, for the API's description. */
export const repeatabilityHeaders = () =>
  z.object({
    "Repeatability-Request-ID": z
      .string()
      .regex(keyShape)
      .optional()
      .describe("The same for every repeat of a request: a UUID, most often. Answered by `Repeatability-Result`."),
    "Repeatability-First-Sent": z
      .string()
      .regex(httpDate)
      .optional()
      .describe("When the request was sent for the first time, as an HTTP date."),
    "Idempotency-Key": z
      .string()
      .regex(keyShape)
      .optional()
      .describe("Stands for `Repeatability-Request-ID`. Where both come, they must be the same."),
  });

/** As clients write it; any other notation that a `Date` understands is read as well. */
const httpDate =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), (0[1-9]|[12]\d|3[01]) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} ([01]\d|2[0-3]):[0-5]\d:[0-5]\d GMT$/;

/**
 * Reads `Repeatability-Request-ID` (with `Repeatability-First-Sent`), or `Idempotency-Key`.
 *
 * @throws ApiError 400 `InvalidHeader` for a key that is none, two keys that differ, and a time that is none.
 */
export function readRepeatability(headers: Headers): Repeatability | undefined {
  const requestId = headers.get("repeatability-request-id");
  const firstSent = headers.get("repeatability-first-sent");
  const key = headers.get("idempotency-key");
  if (firstSent !== null && Number.isNaN(Date.parse(firstSent))) throw invalidHeader("Repeatability-First-Sent");
  if (requestId !== null && !keyShape.test(requestId)) throw invalidHeader("Repeatability-Request-ID");
  if (key !== null && !keyShape.test(key)) throw invalidHeader("Idempotency-Key");
  if (requestId !== null && key !== null && requestId !== key) throw invalidHeader("Idempotency-Key");
  const idempotencyKey = requestId ?? key;
  if (idempotencyKey === null) return undefined;
  return { idempotencyKey, headers: requestId === null ? {} : { "repeatability-result": "accepted" } };
}

function invalidHeader(name: string): ApiError {
  return new ApiError(400, "InvalidHeader", `The header ${name} is not valid.`, {
    details: [{ code: "InvalidHeader", message: "Not valid, or at odds with another header.", target: name }],
  });
}
