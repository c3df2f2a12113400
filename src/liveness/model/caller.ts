/** The authenticated caller of a request. */
export interface Caller {
  /** A service with access to everything: by a client key, by its role, or in a deployment without authentication. */
  trusted: boolean;
  /** Name of the configured client key. */
  clientName?: string;
  /** SHA-256 (hex) of identity provider and principal id: the owner of the sessions and images that the caller creates. */
  owner?: string;
  /** A principal who may read the outcomes of all devices, and nothing else of others. */
  isReviewer?: true;
}

/**
 * The sessions on a device that count together for its limits and its lock-out: those of all trusted services, or those
 * of one user, by `Caller.owner`. A user who knows the id of another user's device thus cannot use up its places.
 */
export type CountedFor = string;

export const services: CountedFor = "services";

/** The owner to whose resources a list is restricted. Undefined: the caller sees all. */
export function ownerFilter({ trusted, owner = "" }: Caller): string | undefined {
  return trusted ? undefined : owner;
}

/** Principals may use their own resources, trusted services all. For other callers a resource does not exist. */
export function mayUse(caller: Caller, resource: { owner?: string }): boolean {
  return caller.trusted || (resource.owner !== undefined && resource.owner === caller.owner);
}
