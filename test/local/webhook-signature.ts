import { createHmac, timingSafeEqual } from "node:crypto";

/** A webhook as it was received. The headers are undefined where they are missing. */
export interface SignedWebhook {
  id: string | undefined;
  /** Seconds since the epoch. */
  timestamp: string | undefined;
  /** Entries `v1,<base64>`, separated by spaces. */
  signature: string | undefined;
  /** Unparsed. */
  body: Uint8Array;
}

export type SignatureCheck = "valid" | "missing" | "mismatch" | "tooOld" | "tooNew";

/** Largest difference between the timestamp and the clock. */
const toleranceMs = 5 * 60_000;

/**
 * Checks the signature of a webhook as Standard Webhooks defines it. On `node:crypto` alone: the app signs with the library
 * of the standard, and a check by the same library would share its mistakes.
 *
 * @param secrets `whsec_` and base64. One of them must match.
 */
export function checkSignature(webhook: SignedWebhook, secrets: readonly string[], nowMs: number): SignatureCheck {
  const { id, timestamp, signature, body } = webhook;
  if (!id || !signature || timestamp === undefined || !/^\d{1,12}$/.test(timestamp)) return "missing";
  const given = signature.split(" ").filter((entry) => entry.startsWith("v1,"));
  const expected = secrets.map((secret) => `v1,${sign(secret, `${id}.${timestamp}.`, body)}`);
  if (!given.some((entry) => expected.some((own) => isEqual(entry, own)))) return "mismatch";
  const ageMs = nowMs - Number(timestamp) * 1000;
  if (ageMs > toleranceMs) return "tooOld";
  return ageMs < -toleranceMs ? "tooNew" : "valid";
}

function sign(secret: string, prefix: string, body: Uint8Array): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return createHmac("sha256", key).update(prefix).update(body).digest("base64");
}

function isEqual(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}
