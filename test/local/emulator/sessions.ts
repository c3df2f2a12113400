import { randomUUID } from "node:crypto";
import { compact } from "../../../src/compact.ts";
import {
  type AbuseFacts,
  type ApiVersion,
  type Attempt,
  type CreatedSession,
  maxAttempts,
  type SessionKind,
  type SessionListItem,
  type SessionRequest,
  type SessionState,
  type VerifyImage,
  type VerifyReference,
} from "../../../src/face/model.ts";
import { codecs } from "../../../src/face/versions/codecs.ts";
import type { FaceSettings } from "../../../src/face/versions/settings.ts";
import type { EmulatorClock } from "./clock.ts";
import { hashImage } from "./images.ts";
import type { SessionTokens } from "./tokens.ts";

const lifeMs = 48 * 3600 * 1000;

/** A session of any version. Times are milliseconds of the emulator's clock. */
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
  /** Attempts of the token: in v1.3 as requested, in older versions always 3. */
  readonly attemptsAllowed: number;
  /** Whether abuse monitoring was on at creation. Absent in versions without abuse monitoring. */
  readonly isAbuseMonitoringEnabled?: boolean;
  /** From the request, or from the device's first attempt. */
  deviceCorrelationId?: string;
  /** From the request, or from the device's first attempt. */
  userCorrelationId?: string;
  /** SHA-256 of the image in the creation request. The image itself is not kept. */
  readonly verifyImageHash?: string;
  /** Of the image in the creation request, or else in the latest attempt that submits one. */
  verifyReferences: VerifyReference[];
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
  /** A live session of one version and kind. Only their routes show it. */
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

/** The model version of sessions that name none. */
const defaultModels: Record<ApiVersion, string> = {
  "v1.1-preview.1": "2022-10-15-preview.04",
  "v1.2-preview.1": "2023-12-20-preview.06",
  "v1.2": "2024-11-15",
  "v1.3-preview.1": "2024-11-15",
};

export function createSessions(clock: EmulatorClock, tokens: SessionTokens, resource: FaceSettings): Sessions {
  /** In the order of creation. That is the order of expiry too, unless the clock was reset. */
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
      // The token's `exp` is in whole seconds, and decides.
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
        attemptsAllowed: request.numberOfClientAttemptsAllowed ?? maxAttempts,
        ...compact({
          isAbuseMonitoringEnabled: codecs[version].hasSettings ? resource.livenessAbuseMonitoring.enabled : undefined,
          deviceCorrelationId: request.deviceCorrelationId,
          userCorrelationId: request.userCorrelationId,
          verifyImageHash: image && hashImage(image.bytes),
        }),
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

/** The face in every verify image. */
export const verifyReference: VerifyReference = {
  referenceType: "Color",
  faceRectangle: { top: 316, left: 131, width: 498, height: 677 },
  qualityForRecognition: "high",
};

export function describeCreated(session: EmulatedSession): CreatedSession {
  const { sessionId, authToken, modelVersion, verifyReferences } = session;
  return { sessionId, authToken, modelVersion, verifyReferences, ...abuseFactsOf(session) };
}

function abuseFactsOf({ isAbuseMonitoringEnabled, request: { expectedClientIpAddress } }: EmulatedSession): AbuseFacts {
  return compact({ isAbuseMonitoringEnabled, expectedClientIpAddress });
}

export function describeSession(session: EmulatedSession, now: number): SessionState {
  const { sessionId: _, ...item } = describeListItem(session, now);
  return {
    sessionId: session.sessionId,
    status: sessionStatus(session, now),
    attempts: session.attempts,
    modelVersion: session.modelVersion,
    verifyReferences: session.verifyReferences,
    ...abuseFactsOf(session),
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
 * The status of a session: `NotStarted` before its first attempt; `Succeeded` once an attempt has a result, with any
 * decision; `Running` while an attempt runs, or after failed ones while another is possible; with no attempt left or the
 * token expired, the status of the last attempt (`Failed`, or `Canceled` where the user gave up).
 */
export function sessionStatus(session: EmulatedSession, now: number): string {
  const last = session.attempts.at(-1);
  if (last === undefined) return "NotStarted";
  if (session.attempts.some((attempt) => attempt.attemptStatus === "Succeeded")) return "Succeeded";
  const isOver = session.attempts.length >= session.attemptsAllowed || now >= session.tokenExpiresAt;
  return isOver && last.attemptStatus !== "Running" ? last.attemptStatus : "Running";
}

/**
 * The status in the previews. Their result is available once an attempt has ended and shows the latest one, so the status
 * is that of this attempt.
 */
export function previewStatus(session: EmulatedSession): string {
  const ended = session.attempts.findLast((attempt) => attempt.attemptStatus !== "Running");
  return ended?.attemptStatus ?? (session.attempts.length === 0 ? "NotStarted" : "Running");
}
