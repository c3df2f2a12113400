import { compact } from "../compact.ts";
import { retryAfterMs } from "../retry.ts";
import type { DeliveryResult } from "./delivery-target.ts";

/** Timeout of one delivery in ms. */
export const deliveryTimeoutMs = 15_000;

/** Longest wait that a receiver can request. */
const maxRetryAfterMs = 24 * 3_600_000;

/** Thrown if a delivery exceeds its timeout. */
export class Timeout extends Error {
  override name = "Timeout";
}

/** The result of an answer that is not a success. `Retry-After` is used with 429 and 503 only. */
export function refused(status: number, retryAfter: string | null | undefined, nowMs: number): DeliveryResult {
  const requested = (status === 429 || status === 503) && retryAfter ? retryAfterMs(retryAfter, nowMs) : undefined;
  const waitMs = requested === undefined ? undefined : Math.min(requested, maxRetryAfterMs);
  return { outcome: "retry", cause: `Status${status}`, ...compact({ retryAfterMs: waitMs }) };
}

/** A fixed code for each kind of failure of a connection. An error's message can contain the URL. */
export function causeOf(error: unknown): string {
  if (error instanceof Timeout) return error.name;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "NameNotResolved";
  if (/CERT|SIGNATURE|ERR_TLS/.test(code)) return "CertificateNotTrusted";
  return "ConnectionFailed";
}
