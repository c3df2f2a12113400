import type { StoredSession } from "../liveness/session.ts";

/** The sessions that this process has created last, as it wrote them. */
export interface RecentSessions {
  remember(stored: StoredSession): void;
  recall(sessionId: string): StoredSession | undefined;
  forget(sessionId: string): void;
}

/** As many as are used soon: a session is settled by its app within a minute or two. */
const maxSessions = 1000;

export function createRecentSessions(): RecentSessions {
  const recent = new Map<string, StoredSession>();
  return {
    remember(stored) {
      recent.set(stored.record.sessionId, stored);
      const [oldest] = recent.keys();
      if (recent.size > maxSessions && oldest !== undefined) recent.delete(oldest);
    },
    recall(sessionId) {
      const stored = recent.get(sessionId);
      return stored && { ...stored, recalled: true };
    },
    forget(sessionId) {
      recent.delete(sessionId);
    },
  };
}
