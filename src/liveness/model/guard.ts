/**
 * What the creation limits and the lockout depend on. There is one guard for the services' sessions on a device, one for
 * each user's sessions on a device, and one for a user's sessions on all devices.
 */
export interface Guard {
  /** Times of the last creations, ascending, RFC 3339. */
  recent: string[];
  rejectionsInARow: number;
  lockedUntil?: string;
  /** RFC 3339, of the latest write. */
  changedOn: string;
}

/** Gets the stored guard (undefined: none) and returns the new guard, or throws to refuse. */
export type Admit = (guard: Guard | undefined) => Guard;
/** Like `Admit`, but may return undefined, which leaves the guard unchanged. */
export type GuardEdit = (guard: Guard | undefined) => Guard | undefined;

/** The fields of a guard that a new outcome changes. */
export type GuardChange = Omit<Guard, "recent">;
