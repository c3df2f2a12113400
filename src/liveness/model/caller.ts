/**
 * The authenticated caller of a request: a trusted service, or a user who has signed in. Both may have a principal, the
 * identity that App Service Authentication has verified. `userCorrelationId` names another person: the end user.
 */
export interface Caller {
  /** A service with access to everything: by a client key, by its role, or because every caller is admitted. */
  trusted: boolean;
  /** Name of the configured client key. */
  clientName?: string;
  /** SHA-256 (hex) of identity provider and principal id: the owner of the sessions and images that the caller creates. */
  owner?: string;
  /** A principal who may read the outcomes of all devices, and nothing else of others. */
  isReviewer?: true;
}

/**
 * For whom a session counts in the limits and the lockout of its device: for all trusted services together (`services`), or
 * for one user (`Caller.owner`). So a user who knows the id of another user's device cannot use up its limit.
 */
export type CountedFor = string;

export const services: CountedFor = "services";

/** The owner whose resources a list contains. Undefined for trusted services, which see the resources of all owners. */
export function ownerFilter({ trusted, owner = "" }: Caller): string | undefined {
  return trusted ? undefined : owner;
}

/** Whether the caller may use the resource: users their own resources, trusted services all. */
export function mayUse(caller: Caller, resource: { owner?: string }): boolean {
  return caller.trusted || (resource.owner !== undefined && resource.owner === caller.owner);
}
