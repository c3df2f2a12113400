import type { FaceCallOptions, FaceService } from "../../../src/face/client/face-service.ts";
import type {
  ApiVersion,
  Attempt,
  AttemptResult,
  SessionKind,
  SessionRequest,
  SessionState,
  VerifyImage,
} from "../../../src/face/model.ts";
import type { Clock } from "../../../src/liveness/model/clock.ts";
import type { Calls } from "./calls.ts";

/** A session at the service. */
export interface ServiceSession {
  kind: SessionKind;
  request: SessionRequest;
  image?: VerifyImage;
  authToken: string;
  createdMs: number;
  state: SessionState;
}

/** State of the service, independent of the processes that call it. */
export interface Service {
  /** Sessions that exist, by id. */
  live: Map<string, ServiceSession>;
  /** Number of sessions ever created. */
  opened: number;
  sessionImages: Map<string, { bytes: Uint8Array; contentType: string }>;
}

const lifeMs = 48 * 3_600_000;

export function createService(): Service {
  return { live: new Map(), opened: 0, sessionImages: new Map() };
}

/** The token of a session. Tests search for `secret-token` where no token may be stored. */
export function tokenOf(sessionId: string): string {
  return `secret-token-of-${sessionId}`;
}

/** What an attempt results in. */
export type Outcome = Omit<Attempt, "attemptId" | "attemptStatus">;

/** Adds an attempt with this outcome to the session. Attempts are numbered from 1. */
export function play(service: Service, sessionId: string, outcome: Outcome): void {
  const session = service.live.get(sessionId);
  if (session === undefined) throw new Error("session not found");
  const attempt: Attempt = {
    attemptId: session.state.attempts.length + 1,
    attemptStatus: outcome.error ? "Failed" : "Succeeded",
    ...outcome,
  };
  session.state.attempts.push(attempt);
  session.state.status = attempt.attemptStatus;
}

/** A real face that matches. `result` overrides the default fields. */
export function realFace(result: AttemptResult = {}): Pick<Attempt, "result"> {
  const verifyResult = { matchConfidence: 0.95, isIdentical: true };
  return { result: { livenessDecision: "realface", digest: "service-digest", verifyResult, ...result } };
}

export function failedAttempt(code = "FaceTrackingFailed"): Pick<Attempt, "error"> {
  return { error: { code, message: `${code} happened.` } };
}

/** A Face service on sessions in memory. */
export function createFakeFaceService(
  service: Service,
  calls: Calls,
  now: Clock,
  version: ApiVersion = "v1.2",
): FaceService {
  function known(kind: SessionKind, sessionId: string): ServiceSession | undefined {
    const session = service.live.get(sessionId);
    if (session !== undefined && now() >= session.createdMs + lifeMs) service.live.delete(sessionId);
    return session?.kind === kind && service.live.has(sessionId) ? session : undefined;
  }

  /** Makes the call as one HTTP request, which passes the gate of the options. */
  async function through<T>(options: FaceCallOptions | undefined, name: string, effect: () => T): Promise<T> {
    if (options?.gate === undefined) return calls.run(name, effect);
    const report = await options.gate();
    const value = await calls.run(name, effect);
    report();
    return value;
  }

  return {
    version,
    create: (kind, request, image) =>
      calls.run("face.create", () => {
        service.opened += 1;
        const sessionId = `5e551011-0000-4000-8000-${String(service.opened).padStart(12, "0")}`;
        const authToken = tokenOf(sessionId);
        const state: SessionState = { sessionId, status: "NotStarted", attempts: [] };
        service.live.set(sessionId, {
          ...{ kind, request: structuredClone(request), authToken, createdMs: now(), state },
          ...(image && { image: structuredClone(image) }),
        });
        return { value: { sessionId, authToken, verifyReferences: [] }, requestId: `request-${service.opened}` };
      }),
    get: ({ kind, sessionId }, options) =>
      through(options, "face.get", () => {
        const session = known(kind, sessionId);
        return session && { value: structuredClone(session.state), requestId: "request-of-get" };
      }),
    revoke: ({ kind, sessionId }, options) =>
      through(options, "face.revoke", () => known(kind, sessionId) !== undefined && service.live.delete(sessionId)),
    sessionImage: (sessionImageId) =>
      calls.run("face.sessionImage", () => {
        const value = service.sessionImages.get(sessionImageId);
        return value && { value, requestId: "request-of-image" };
      }),
    probe: () => calls.run("face.probe", () => undefined),
  };
}
