/**
 * Counts for the creation limits and the lock-out: of the services' sessions on a device, of a user's sessions on a
 * device, or of a user's sessions on all devices.
 */
export interface Guard {
  /** Times of the last creations, ascending, RFC 3339. */
  recent: string[];
  rejectionsInARow: number;
  lockedUntil?: string;
  /** RFC 3339, of the latest write. */
  changedOn: string;
}

/** Receives the guard (undefined: none is stored) and returns the new one, or throws to refuse. */
export type Admit = (guard: Guard | undefined) => Guard;
/** The same; the guard is unchanged if it returns undefined. */
export type GuardEdit = (guard: Guard | undefined) => Guard | undefined;

/** A new outcome's change to its guard. */
export type GuardChange = Omit<Guard, "recent">;
