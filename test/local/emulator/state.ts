import type { FaceSettings } from "../../../src/face/versions/settings.ts";
import { createClock, type EmulatorClock } from "./clock.ts";
import { createFaults, type Faults, type Operation } from "./faults.ts";
import { defaultResourceSettings } from "./resource-settings.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createSessionTokens, type SessionTokens } from "./tokens.ts";

/** The body of `POST /emulator/settings`. */
export interface EmulatorSettings {
  /** Whether GET of a session returns its token in v1.2 and v1.3, as in some published examples. */
  tokenInGet: boolean;
  /** Whether ids of audit entries are above 2^53: valid int64 and JSON, but rounded by `JSON.parse`. */
  largeAuditIds: boolean;
}

/** The state of the emulator, in memory only. */
export interface EmulatorState {
  readonly clock: EmulatorClock;
  readonly tokens: SessionTokens;
  readonly sessions: Sessions;
  readonly faults: Faults;
  readonly settings: EmulatorSettings;
  readonly resource: FaceSettings;
  /** Calls of each operation since the start or the last reset, including failed ones. */
  readonly calls: Record<Operation, number>;
  /** The next id of an audit entry: int64 as decimal digits, ascending over all sessions. */
  nextAuditId(): string;
  /** Deletes sessions, faults and counts, and resets clock, settings and those of the resource. */
  reset(): Promise<void>;
}

export async function createState(onClock?: (offsetMs: number) => Promise<void>): Promise<EmulatorState> {
  const clock = createClock(onClock);
  const tokens = await createSessionTokens();
  const resource = defaultResourceSettings();
  const sessions = createSessions(clock, tokens, resource);
  const faults = createFaults();
  const settings = defaultSettings();
  const calls = noCalls();
  let auditIds = 0n;
  return {
    clock,
    tokens,
    sessions,
    faults,
    settings,
    resource,
    calls,
    nextAuditId() {
      // Ids never descend: once large, they stay large.
      if (settings.largeAuditIds && auditIds < largeIds) auditIds = largeIds;
      auditIds += 1n;
      return auditIds.toString();
    },
    async reset() {
      sessions.clear();
      faults.clear();
      Object.assign(settings, defaultSettings());
      Object.assign(resource, defaultResourceSettings());
      Object.assign(calls, noCalls());
      auditIds = 0n;
      await clock.reset();
    },
  };
}

/** Half of the largest int64. */
const largeIds = 2n ** 62n;

function defaultSettings(): EmulatorSettings {
  return { tokenInGet: false, largeAuditIds: false };
}

function noCalls(): Record<Operation, number> {
  const ofResource = { settings: 0, patchSettings: 0, clientAssetsToken: 0 };
  return { create: 0, get: 0, delete: 0, list: 0, audit: 0, image: 0, ...ofResource };
}
