import { dayMs, hourMs, iso, later, minuteMs } from "../../time.ts";
import type { Retention } from "../model/settings.ts";

/** Sessions expire at the service 48 hours after their creation, whatever the life of their token. */
export const sessionLifeMs = 48 * hourMs;

/** Longest life of a token. */
export const longestTokenMs = dayMs;

/** Longest duration of an attempt, which may begin just before the token's end. */
const lastAttemptMs = 2 * minuteMs;

/** When the timer fetches a session's result: two minutes after the token's end. RFC 3339, like all times in this file. */
export function collectDueOn(tokenExpiresOn: string): string {
  return later(tokenExpiresOn, lastAttemptMs);
}

/** When the service's session and the uploaded image are removed: not later than the outcome. */
export function pruneDueOn(createdOn: string, { sessionHours, outcomeDays }: Retention): string {
  return later(createdOn, Math.min(sessionHours, outcomeDays * 24) * hourMs);
}

/** The time of creation of the oldest sessions that the Face routes still show. */
export function shownSince(nowMs: number, { sessionHours, outcomeDays }: Retention): string {
  const shownMs = Math.min(sessionHours, outcomeDays * 24) * hourMs;
  return iso(nowMs - Math.min(sessionLifeMs, shownMs));
}

/** When the outcome and its audit trail are removed. */
export function purgeDueOn(createdOn: string, { outcomeDays }: Retention): string {
  return later(createdOn, outcomeDays * dayMs);
}

/** Whether no further attempt can end, by the clock alone. */
export function tokenIsOver(tokenExpiresOn: string, nowMs: number): boolean {
  return nowMs >= Date.parse(collectDueOn(tokenExpiresOn));
}
