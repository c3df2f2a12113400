import * as z from "zod";
import { ApiError } from "../errors.ts";

/** The repeatability headers of a request. */
export interface Repeatability {
  /** Equal in the first request and its repeats. */
  idempotencyKey: string;
  /** Headers to add to the response. */
  headers: Record<string, string>;
}

/** Printable ASCII; usually a UUID. */
const keyShape = /^[\x21-\x7e]{1,256}$/;

const days = "Mon|Tue|Wed|Thu|Fri|Sat|Sun";
const months = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
const day = "(0?[1-9]|[12]\\d|3[01])";
const clock = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d";
const httpDate = `(${days}), ${day} (${months}) \\d{4} ${clock} GMT`;
const rfc3339 = `\\d{4}-(0[1-9]|1[0-2])-${day}T${clock}(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)`;
/** An HTTP date, or RFC 3339, which some clients write. */
const timeShape = new RegExp(`^(${httpDate}|${rfc3339})$`);

/** The request headers for the OpenAPI document. */
export function repeatabilityHeaders() {
  const key = z.string().regex(keyShape).optional();
  return z.object({
    "Repeatability-Request-ID": key.describe(
      "Equal in all repeats of a request; usually a UUID. The response has the header `Repeatability-Result`.",
    ),
    "Repeatability-First-Sent": z
      .string()
      .regex(timeShape)
      .optional()
      .describe("Time of the first request: an HTTP date, or RFC 3339."),
    "Idempotency-Key": key.describe("Alternative to `Repeatability-Request-ID`; if both are sent, they must be equal."),
  });
}

/**
 * Reads `Repeatability-Request-ID` (with `Repeatability-First-Sent`), or `Idempotency-Key`.
 *
 * @throws ApiError 400 `InvalidHeader` for an invalid key, two different keys, or an invalid time.
 */
export function readRepeatability(headers: Headers): Repeatability | undefined {
  const requestId = headers.get("repeatability-request-id");
  const firstSent = headers.get("repeatability-first-sent");
  const key = headers.get("idempotency-key");
  if (firstSent !== null && !timeShape.test(firstSent)) throw invalidHeader("Repeatability-First-Sent");
  if (requestId !== null && !keyShape.test(requestId)) throw invalidHeader("Repeatability-Request-ID");
  if (key !== null && !keyShape.test(key)) throw invalidHeader("Idempotency-Key");
  if (requestId !== null && key !== null && requestId !== key) throw invalidHeader("Idempotency-Key");
  const idempotencyKey = requestId ?? key;
  if (idempotencyKey === null) return undefined;
  return { idempotencyKey, headers: requestId === null ? {} : { "repeatability-result": "accepted" } };
}

function invalidHeader(name: string): ApiError {
  return new ApiError(400, "InvalidHeader", `The header ${name} is not valid.`, {
    details: [{ code: "InvalidHeader", message: "Not valid, or contradicts another header.", target: name }],
  });
}
