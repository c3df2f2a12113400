/** Who is asking, once it is known. */
export interface Caller {
  /** A service that may see and do everything: by a client key, by the role, or on a stack that lets everyone in. */
  trusted: boolean;
  /** The name under which the client's key is configured. */
  clientName?: string;
  /** SHA-256 (hex) of identity provider and principal id: what this caller opens belongs to it. */
  owner?: string;
}

/**
 * Whose sessions on a device count together for its limits and its lock-out: those of all trusted services, or those of
 * one user, named by `Caller.owner`. A user who knows the id of another's device thus uses up none of its places.
 */
export type CountedFor = string;

export const services: CountedFor = "services";

export function countedFor({ trusted, owner = services }: Caller): CountedFor {
  return trusted ? services : owner;
}

/** What belongs to a principal is there for that principal and for trusted services; for others it does not exist. */
export function mayUse(caller: Caller, resource: { owner?: string }): boolean {
  return caller.trusted || (resource.owner !== undefined && resource.owner === caller.owner);
}
