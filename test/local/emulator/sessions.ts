import { randomUUID } from "node:crypto";
import type {
  ApiVersion,
  Attempt,
  CreatedSession,
  SessionKind,
  SessionListItem,
  SessionRequest,
  SessionState,
  VerifyImage,
  VerifyReference,
} from "../../../src/face/model.ts";
import type { EmulatorClock } from "./clock.ts";
import { hashImage } from "./images.ts";
import type { SessionTokens } from "./tokens.ts";

/** How many attempts a token is good for. */
export const maxAttempts = 3;
const lifeMs = 48 * 3600 * 1000;

/** A session as the service would keep it, whatever its version. Times are milliseconds of the emulator's clock. */
export interface EmulatedSession {
  readonly sessionId: string;
  readonly version: ApiVersion;
  readonly kind: SessionKind;
  readonly request: SessionRequest;
  readonly authToken: string;
  readonly modelVersion: string;
  readonly createdAt: number;
  readonly tokenExpiresAt: number;
  readonly expiresAt: number;
  /** From the request, or named by the device at its first attempt. */
  deviceCorrelationId?: string;
  /** SHA-256 of the image that came with the creation. The image itself is not kept. */
  readonly verifyImageHash?: string;
  readonly verifyReferences: VerifyReference[];
  startedAt?: number;
  /** Ascending by `attemptId`. */
  readonly attempts: Attempt[];
}

export interface Sessions {
  create(
    version: ApiVersion,
    kind: SessionKind,
    request: SessionRequest,
    image?: VerifyImage,
  ): Promise<EmulatedSession>;
  /** A live session of any version and kind. */
  get(sessionId: string): EmulatedSession | undefined;
  /** A live session as the routes of one version and kind know it: no other route shows it. */
  find(version: ApiVersion, kind: SessionKind, sessionId: string): EmulatedSession | undefined;
  remove(sessionId: string): void;
  /** Live sessions of one version and kind, ascending by id, after `start`. */
  list(version: ApiVersion, kind: SessionKind, start: string, top: number): EmulatedSession[];
  /** All live sessions, in the order of their creation. */
  all(): EmulatedSession[];
  /** The live session that has this session image. */
  findByImage(version: ApiVersion, sessionImageId: string): EmulatedSession | undefined;
  clear(): void;
}

/** What the service answers as the model where the caller has not asked for one. */
const defaultModels: Record<ApiVersion, string> = {
  "v1.1-preview.1": "2022-10-15-preview.04",
  "v1.2-preview.1": "2023-12-20-preview.06",
  "v1.2": "2024-11-15",
};

export function createSessions(clock: EmulatorClock, tokens: SessionTokens): Sessions {
  /** In the order of creation, which is the order of expiry too, unless the clock has been put back. */
  const sessions = new Map<string, EmulatedSession>();

  const isLive = (session: EmulatedSession) => clock.now() < session.expiresAt;

  function get(sessionId: string): EmulatedSession | undefined {
    const session = sessions.get(sessionId);
    if (session === undefined || isLive(session)) return session;
    sessions.delete(sessionId);
    return undefined;
  }

  function all(): EmulatedSession[] {
    for (const session of sessions.values()) if (!isLive(session)) sessions.delete(session.sessionId);
    return [...sessions.values()];
  }

  return {
    async create(version, kind, request, image) {
      const now = clock.now();
      const sessionId = randomUUID();
      // The token counts in whole seconds, and what it says is what holds.
      const issuedAt = Math.floor(now / 1000);
      const tokenExpires = issuedAt + request.authTokenTimeToLiveInSeconds;
      const session: EmulatedSession = {
        sessionId,
        version,
        kind,
        request,
        authToken: await tokens.issue(sessionId, issuedAt, tokenExpires),
        modelVersion: request.modelVersion ?? defaultModels[version],
        createdAt: now,
        tokenExpiresAt: tokenExpires * 1000,
        expiresAt: now + lifeMs,
        ...(request.deviceCorrelationId === undefined ? {} : { deviceCorrelationId: request.deviceCorrelationId }),
        ...(image === undefined ? {} : { verifyImageHash: hashImage(image.bytes) }),
        verifyReferences: image === undefined ? [] : [verifyReference],
        attempts: [],
      };
      sessions.set(sessionId, session);
      return session;
    },
    get,
    find(version, kind, sessionId) {
      const session = get(sessionId);
      return session?.version === version && session.kind === kind ? session : undefined;
    },
    remove(sessionId) {
      sessions.delete(sessionId);
    },
    list: (version, kind, start, top) =>
      all()
        .filter((session) => session.version === version && session.kind === kind && session.sessionId > start)
        .sort((left, right) => (left.sessionId < right.sessionId ? -1 : 1))
        .slice(0, top),
    all,
    findByImage: (version, sessionImageId) =>
      all().find(
        (session) =>
          session.version === version &&
          session.attempts.some((attempt) => attempt.result?.sessionImageId === sessionImageId),
      ),
    clear: () => sessions.clear(),
  };
}

const verifyReference: VerifyReference = {
  referenceType: "Color",
  faceRectangle: { top: 316, left: 131, width: 498, height: 677 },
  qualityForRecognition: "high",
};

export function describeCreated(session: EmulatedSession): CreatedSession {
  const { sessionId, authToken, modelVersion, verifyReferences } = session;
  return { sessionId, authToken, modelVersion, verifyReferences };
}

export function describeSession(session: EmulatedSession, now: number): SessionState {
  const { sessionId: _, ...item } = describeListItem(session, now);
  return {
    sessionId: session.sessionId,
    status: sessionStatus(session, now),
    attempts: session.attempts,
    modelVersion: session.modelVersion,
    verifyReferences: session.verifyReferences,
    ...item,
  };
}

export function describeListItem(session: EmulatedSession, now: number): SessionListItem {
  return {
    sessionId: session.sessionId,
    createdDateTime: new Date(session.createdAt).toISOString(),
    ...(session.startedAt === undefined ? {} : { sessionStartDateTime: new Date(session.startedAt).toISOString() }),
    sessionExpired: now >= session.tokenExpiresAt,
    ...(session.deviceCorrelationId === undefined ? {} : { deviceCorrelationId: session.deviceCorrelationId }),
    authTokenTimeToLiveInSeconds: session.request.authTokenTimeToLiveInSeconds,
  };
}

/**
 * The status of a session: `NotStarted` before its first attempt; `Succeeded` as soon as an attempt has a result, whatever
 * the decision; `Running` while an attempt runs, or after failed ones while another may follow; then, with no attempt left
 * or the token ended, the status of the last attempt (`Failed`, or `Canceled` where the user gave up).
 */
export function sessionStatus(session: EmulatedSession, now: number): string {
  const last = session.attempts.at(-1);
  if (last === undefined) return "NotStarted";
  if (session.attempts.some((attempt) => attempt.attemptStatus === "Succeeded")) return "Succeeded";
  const isOver = session.attempts.length >= maxAttempts || now >= session.tokenExpiresAt;
  return isOver && last.attemptStatus !== "Running" ? last.attemptStatus : "Running";
}

/**
 * The status for the previews, which call a result available as soon as an attempt has ended, and tell the latest one:
 * that attempt's own status then.
 */
export function previewStatus(session: EmulatedSession): string {
  const ended = session.attempts.findLast((attempt) => attempt.attemptStatus !== "Running");
  return ended?.attemptStatus ?? (session.attempts.length === 0 ? "NotStarted" : "Running");
}
