import { createClock, type EmulatorClock } from "./clock.ts";
import { createFaults, type Faults, type Operation } from "./faults.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { createSessionTokens, type SessionTokens } from "./tokens.ts";

/** What `POST /emulator/settings` switches. */
export interface EmulatorSettings {
  /** Whether GET of a v1.2 session answers its token, as some services do. */
  tokenInGet: boolean;
  /** Whether audit entries get ids above 2^53: valid int64 and valid JSON, but rounded by `JSON.parse`. */
  largeAuditIds: boolean;
}

/** All that the emulator knows. It lives in memory and dies with it. */
export interface EmulatorState {
  readonly clock: EmulatorClock;
  readonly tokens: SessionTokens;
  readonly sessions: Sessions;
  readonly faults: Faults;
  readonly settings: EmulatorSettings;
  /** Calls of each operation since the start or the last reset, those that were refused or struck by a fault included. */
  readonly calls: Record<Operation, number>;
  /** The next id of an audit entry: int64 as decimal digits, ascending over all sessions. */
  nextAuditId(): string;
  /** As if newly started: no sessions, faults or counts, default settings, the clock back at the machine's time. */
  reset(): Promise<void>;
}

export async function createState(onClock?: (offsetMs: number) => Promise<void>): Promise<EmulatorState> {
  const clock = createClock(onClock);
  const tokens = await createSessionTokens();
  const sessions = createSessions(clock, tokens);
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
    calls,
    nextAuditId() {
      // Ids only ever ascend: once large, they stay so.
      if (settings.largeAuditIds && auditIds < largeIds) auditIds = largeIds;
      auditIds += 1n;
      return auditIds.toString();
    },
    async reset() {
      sessions.clear();
      faults.clear();
      Object.assign(settings, defaultSettings());
      Object.assign(calls, noCalls());
      auditIds = 0n;
      await clock.reset();
    },
  };
}

/** Half way to the largest int64. */
const largeIds = 2n ** 62n;

function defaultSettings(): EmulatorSettings {
  return { tokenInGet: false, largeAuditIds: false };
}

function noCalls(): Record<Operation, number> {
  return { create: 0, get: 0, delete: 0, list: 0, audit: 0, image: 0 };
}
