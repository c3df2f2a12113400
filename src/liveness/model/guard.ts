/**
 * What the creation limits and the lock-out count: for the services' sessions on a device, for a user's sessions on a
 * device, or for a user whatever the devices are.
 */
export interface Guard {
  /** Times of the last creations, ascending, RFC 3339. */
  recent: string[];
  rejectionsInARow: number;
  lockedUntil?: string;
  /** RFC 3339, of the latest write. */
  changedOn: string;
}

/** Gets the guard (undefined: there is none yet) and answers the new one, or throws to refuse. */
export type Admit = (guard: Guard | undefined) => Guard;
/** The same; where it answers undefined, the guard stays as it is. */
export type GuardEdit = (guard: Guard | undefined) => Guard | undefined;

/** What a new outcome changes in its guard. */
export type GuardChange = Omit<Guard, "recent">;
