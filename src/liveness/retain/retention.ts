/** Sessions live so long at the service, whatever their token's life is: 48 hours after creation. */
export const sessionLifeMs = 48 * 3_600_000;

/** The longest life that a token can be given. */
export const longestTokenMs = 86_400_000;

/** An attempt that began with the token's last breath may still come in; after this nothing can. */
const lastAttemptMs = 2 * 60_000;

/** How long an operator wants things kept. */
export interface Retention {
  /** Age of a session at which the service's session and an uploaded image go. */
  sessionHours: number;
  /** Age of a session at which its outcome and audit entries go. */
  outcomeDays: number;
  /** Age at which held reference images go. Default: never. */
  referenceImageDays?: number;
}

/** When a session's result is fetched by the timer at the latest. RFC 3339, as all times here. */
export function collectDueOn(tokenExpiresOn: string): string {
  return later(tokenExpiresOn, lastAttemptMs);
}

/** When the service's session and the uploaded image go: with the outcome, where that is kept for a shorter time. */
export function pruneDueOn(createdOn: string, { sessionHours, outcomeDays }: Retention): string {
  return later(createdOn, Math.min(sessionHours, outcomeDays * 24) * 3_600_000);
}

/** When the outcome and its audit trail go. */
export function purgeDueOn(createdOn: string, { outcomeDays }: Retention): string {
  return later(createdOn, outcomeDays * 86_400_000);
}

/** Whether no attempt can come any more, by the clock alone. */
export function tokenIsOver(tokenExpiresOn: string, nowMs: number): boolean {
  return nowMs >= Date.parse(collectDueOn(tokenExpiresOn));
}

function later(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}
