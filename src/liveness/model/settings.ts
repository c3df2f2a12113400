/** The operator's settings for the rules. */

/** Creation limits, and the lockout after successive rejections. */
export interface Limits {
  /** Creations per device within the window. */
  creations: number;
  /** Creations per principal within the window, on all its devices. */
  ownerCreations: number;
  /** Reference images that a user may keep. */
  ownerImages: number;
  windowSeconds: number;
  /** Rejected outcomes in a row that lock a device out. */
  lockoutRejections: number;
  lockoutSeconds: number;
}

/** Rules for every new session. */
export interface OpeningPolicy {
  allowDeviceSetInClient: boolean;
  /** Lowest match confidence that a session may accept, 0 to 1. */
  confidenceFloor: number;
  /** Secret with which user ids are derived. Present where the upstream version requires a user id. Never logged or stored. */
  userIdKey?: string;
}

/** Rules for every decision. */
export interface DecisionRules {
  /** A session is accepted only with the client's digest. */
  requireClientDigest: boolean;
}

export interface Retention {
  /** Age of a session at which the service's session and an uploaded image are removed. */
  sessionHours: number;
  /** Age of a session at which its outcome and audit entries are removed. */
  outcomeDays: number;
  /** Age at which held reference images are removed. Default: never. */
  referenceImageDays?: number;
}
