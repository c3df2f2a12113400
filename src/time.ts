/** Lengths of time in milliseconds. */
export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** The system's clock: milliseconds since the epoch. */
export const now = () => Date.now();

/** A time as the app stores and returns it: RFC 3339 with milliseconds, UTC. @param ms since the epoch. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The time `ms` milliseconds later, or earlier if `ms` is negative. @param time RFC 3339. */
export function later(time: string, ms: number): string {
  return iso(Date.parse(time) + ms);
}
