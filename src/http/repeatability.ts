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

const days = "Mon|Tue|Wed|Thu|Fri|Sat|Sun";
const months = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
const day = "(0?[1-9]|[12]\\d|3[01])";
const clock = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d";
const httpDate = `(${days}), ${day} (${months}) \\d{4} ${clock} GMT`;
const rfc3339 = `\\d{4}-(0[1-9]|1[0-2])-${day}T${clock}(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)`;
/** An HTTP date, or RFC 3339, which some clients write. */
const timeShape = new RegExp(`^(${httpDate}|${rfc3339})$`);

/** The headers that a request may say it with, for the API's description. */
export function repeatabilityHeaders() {
  const key = z.string().regex(keyShape).optional();
  return z.object({
    "Repeatability-Request-ID": key.describe(
      "The same for every repeat of a request: a UUID, most often. Answered by `Repeatability-Result`.",
    ),
    "Repeatability-First-Sent": z
      .string()
      .regex(timeShape)
      .optional()
      .describe("When the request was sent for the first time: an HTTP date, or RFC 3339."),
    "Idempotency-Key": key.describe("Stands for `Repeatability-Request-ID`. Where both come, they must be the same."),
  });
}

/**
 * Reads `Repeatability-Request-ID` (with `Repeatability-First-Sent`), or `Idempotency-Key`.
 *
 * @throws ApiError 400 `InvalidHeader` for a key that is none, two keys that differ, and a time that is none.
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
    details: [{ code: "InvalidHeader", message: "Not valid, or at odds with another header.", target: name }],
  });
}
