import { randomBytes, randomUUID } from "node:crypto";
import * as z from "zod";
import { invalidDeviceCorrelationId } from "../../../src/api-errors.ts";
import { ApiError } from "../../../src/errors.ts";
import {
  type AbuseMonitoringResult,
  type Attempt,
  type AttemptError,
  type AttemptResult,
  type AuditFacts,
  isCorrelationId,
} from "../../../src/face/model.ts";
import { checkVerifyImage, hashImage } from "./images.ts";
import { type EmulatedSession, verifyReference } from "./sessions.ts";

const decisions = ["realface", "spoofface", "uncertain"];

const flaggedSession = z.strictObject({
  attemptId: z.int().min(1),
  sessionId: z.string().min(1),
  sessionImageId: z.string().min(1).optional(),
});

/** The body of `POST /emulator/sessions/{sessionId}/attempts`. */
export const attemptSchema = z.strictObject({
  /**
   * A decision (`realface`, `spoofface`, `uncertain`); an error code of the service, with which the attempt fails; or
   * `running`: the attempt starts, and the next call for the session ends it.
   */
  scenario: z.union([z.enum([...decisions, "running"]), z.string().regex(/^[A-Z][A-Za-z0-9]{2,99}$/)], {
    error: "scenario must be realface, spoofface, uncertain, running, or an error code such as FaceWithMaskDetected.",
  }),
  /** For sessions with verify. Default 0.93. */
  matchConfidence: z.number().min(0).max(1).optional(),
  /** Required at the first attempt of a session whose device is set in the client. A different id is an error. */
  deviceCorrelationId: z.string().optional(),
  /** Required at the first attempt of a session whose user is set in the client. A different id is an error. */
  userCorrelationId: z.string().optional(),
  /** The address of the device. Default: that of the request, on one machine a loopback address. */
  clientIp: z.union([z.ipv4(), z.ipv6()], { error: "clientIp must be an IP address." }).optional(),
  /**
   * The finding of abuse monitoring: whether it detects abuse, or the other sessions that it flags for the same abuse.
   * Only for sessions that were created while it was on. Default: no abuse in attempts with a decision, no finding in others.
   */
  abuse: z.union([z.boolean(), z.strictObject({ otherFlaggedSessions: z.array(flaggedSession).max(100) })]).optional(),
  /** Base64. Required for a session with verify that was created without an image, an error for others. */
  verifyImage: z.base64().optional(),
  /** Whether the device gets a digest other than the service's, as after a man-in-the-middle attack. */
  tamperDigest: z.boolean().optional(),
});
export type AttemptRequest = z.infer<typeof attemptSchema>;

/** Properties of the attempt's HTTP request. */
export interface AttemptCaller {
  requestId: string;
  clientRequestId: string | undefined;
  userAgent: string | undefined;
  /** Undefined once the connection is closed. */
  ip: string | undefined;
}

/** The answer to the device: its digest, the id of a running attempt, or the service's error. */
export type AttemptAnswer = { digest: string } | { attemptId: number } | { error: AttemptError };

/**
 * Plays one attempt of the session's device. Throws the service's error for an invalid request, which does not count as
 * an attempt. A failed attempt is an answer.
 */
export function playAttempt(
  session: EmulatedSession,
  request: AttemptRequest,
  caller: AttemptCaller,
  now: number,
  nextAuditId: () => string,
): AttemptAnswer {
  const running = session.attempts.at(-1)?.attemptStatus === "Running" ? session.attempts.at(-1) : undefined;
  if (running === undefined && session.attempts.length >= session.attemptsAllowed) {
    throw new ApiError(403, "MaxAttemptsExceeded", `Attempts of the session: ${session.attemptsAllowed}, all used up.`);
  }
  if (running !== undefined && request.scenario === "running") {
    throw new ApiError(409, "AttemptInProgress", "An attempt of this session is running.");
  }
  if (request.matchConfidence !== undefined && session.kind !== "livenessWithVerify") {
    throw new ApiError(400, "InvalidRequestBody", "matchConfidence is for sessions with verify.");
  }
  if (request.abuse !== undefined && !session.isAbuseMonitoringEnabled) {
    throw new ApiError(400, "InvalidRequestBody", "abuse is for sessions that were created with abuse monitoring on.");
  }
  const deviceCorrelationId = pickDevice(session, request);
  const userCorrelationId = pickUser(session, request);
  const verifyImageHash = pickVerifyImage(session, request);

  if (deviceCorrelationId !== undefined) session.deviceCorrelationId = deviceCorrelationId;
  if (userCorrelationId !== undefined) session.userCorrelationId = userCorrelationId;
  if (request.verifyImage !== undefined) session.verifyReferences = [verifyReference];
  session.startedAt ??= now;
  const attempt: Attempt = running ?? { attemptId: session.attempts.length + 1, attemptStatus: "Running" };
  if (running === undefined) session.attempts.push(attempt);
  addAddress(attempt, request.clientIp ?? caller.ip);
  if (request.abuse !== undefined) attempt.abuseMonitoringResult = makeAbuseResult(request.abuse);
  if (request.scenario === "running") return { attemptId: attempt.attemptId };

  const digest = randomDigest();
  attempt.audit = describeCall(session, caller, now, nextAuditId());
  if (decisions.includes(request.scenario)) {
    attempt.attemptStatus = "Succeeded";
    attempt.audit.body = describeAnswer(session);
    attempt.result = makeResult(session, request, digest, verifyImageHash);
    if (session.isAbuseMonitoringEnabled) attempt.abuseMonitoringResult ??= makeAbuseResult(false);
    return { digest: request.tamperDigest ? randomDigest() : digest };
  }
  attempt.attemptStatus = request.scenario === "UserCanceledSession" ? "Canceled" : "Failed";
  // Failed attempts have a digest in the previews only.
  attempt.audit.extra = { digest };
  attempt.audit.statusCode = request.scenario === "UnexpectedServerError" ? 500 : 400;
  attempt.error = makeError(request.scenario);
  return { error: attempt.error };
}

function pickDevice(session: EmulatedSession, request: AttemptRequest): string | undefined {
  const known = session.deviceCorrelationId;
  const given = request.deviceCorrelationId;
  if (known === undefined ? given && given.length <= 64 : given === undefined || given === known) return given;
  if (known === undefined) throw invalidDeviceCorrelationId();
  throw new ApiError(400, "InvalidDeviceCorrelationId", "The session has another device correlation id.");
}

/** The user's id to set. Undefined where it is set already, or the session names no user, as in older versions. */
function pickUser(session: EmulatedSession, request: AttemptRequest): string | undefined {
  const known = session.userCorrelationId;
  const given = request.userCorrelationId;
  if (known !== undefined) {
    if (given === undefined || given === known) return undefined;
    throw new ApiError(400, "InvalidRequestBody", "The session has another user correlation id.");
  }
  if (!session.request.userCorrelationIdSetInClient) return undefined;
  if (given !== undefined && isCorrelationId(given)) return given;
  throw new ApiError(400, "InvalidRequestBody", "The first attempt of the session needs a user correlation id.");
}

/**
 * An attempt that is started from one address and ended from another has both. Addresses outside of
 * `expectedClientIpAddress` are accepted: it is not documented how the service refuses them.
 */
function addAddress(attempt: Attempt, ip: string | undefined): void {
  if (ip === undefined) return;
  attempt.clientInformation ??= [];
  if (!attempt.clientInformation.some((known) => known.ip === ip)) attempt.clientInformation.push({ ip });
}

function makeAbuseResult(abuse: NonNullable<AttemptRequest["abuse"]>): AbuseMonitoringResult {
  return typeof abuse === "boolean"
    ? { isAbuseDetected: abuse, otherFlaggedSessions: [] }
    : { isAbuseDetected: true, otherFlaggedSessions: abuse.otherFlaggedSessions };
}

/** The hash of the verify image; undefined for sessions without verify. */
function pickVerifyImage(session: EmulatedSession, request: AttemptRequest): string | undefined {
  const isNeeded = session.kind === "livenessWithVerify" && session.verifyImageHash === undefined;
  if (isNeeded !== (request.verifyImage !== undefined) && request.scenario !== "running") {
    throw new ApiError(
      400,
      "InvalidRequestBody",
      isNeeded ? "The session has no verify image: the client submits it." : "The session takes no verify image.",
    );
  }
  if (request.verifyImage === undefined) return session.verifyImageHash;
  const bytes = Buffer.from(request.verifyImage, "base64");
  checkVerifyImage(bytes);
  return hashImage(bytes);
}

const faceRectangle = { top: 669, left: 203, width: 646, height: 724 };
const targets = { color: { faceRectangle } };

function makeResult(
  session: EmulatedSession,
  request: AttemptRequest,
  digest: string,
  verifyImageHash: string | undefined,
): AttemptResult {
  const { enableSessionImage, returnVerifyImageHash, verifyConfidenceThreshold = 0.5 } = session.request;
  const matchConfidence = request.matchConfidence ?? 0.93;
  return {
    livenessDecision: request.scenario,
    targets,
    digest,
    ...(enableSessionImage ? { sessionImageId: randomBytes(33).toString("base64url") } : {}),
    ...(session.kind === "livenessWithVerify"
      ? { verifyResult: { matchConfidence, isIdentical: matchConfidence >= verifyConfidenceThreshold } }
      : {}),
    ...(returnVerifyImageHash && verifyImageHash !== undefined ? { verifyImageHash } : {}),
  };
}

const errorMessages: Record<string, string> = {
  FaceWithMaskDetected: "Mask detected on face image.",
  FaceMouthRegionNotVisible: "The mouth region is not visible.",
  FaceEyeRegionNotVisible: "The eye region is not visible.",
  ExcessiveImageBlurDetected: "The image is too blurred.",
  ExcessiveFaceBrightness: "The face is too bright.",
  FaceTrackingFailed: "The face could not be tracked.",
  EnvironmentNotSupported: "The environment is not supported.",
  TimedOut: "The session timed out.",
  NoFaceDetected: "No face detected.",
  UserCanceledSession: "The user cancelled the session.",
  UnexpectedClientError: "An unexpected error occurred in the client.",
  UnexpectedServerError: "An unexpected error occurred in the service.",
};

function makeError(code: string): AttemptError {
  return { code, message: errorMessages[code] ?? "The attempt failed.", targets };
}

function describeCall(session: EmulatedSession, caller: AttemptCaller, now: number, id: string): AuditFacts {
  const operation = session.kind === "liveness" ? "detectliveness" : "detectlivenesswithverify";
  return {
    id,
    requestId: caller.requestId,
    clientRequestId: caller.clientRequestId ?? randomUUID(),
    receivedDateTime: new Date(now).toISOString(),
    request: {
      url: `/face/${session.version}/${operation}/singlemodal`,
      method: "POST",
      contentLength: 482_193,
      contentType: "multipart/form-data",
      ...(caller.userAgent === undefined ? {} : { userAgent: caller.userAgent }),
    },
    statusCode: 200,
    latencyInMilliseconds: 1200,
  };
}

/** Fields of a result in the previews only. */
function describeAnswer(session: EmulatedSession): Record<string, unknown> {
  const [reference] = session.verifyReferences;
  return {
    modelVersionUsed: session.modelVersion,
    target: { faceRectangle, fileName: "content", timeOffsetWithinFile: 0, imageType: "Color" },
    ...(session.kind === "livenessWithVerify"
      ? {
          verifyResult: {
            verifyImage: {
              faceRectangle: reference?.faceRectangle ?? faceRectangle,
              qualityForRecognition: reference?.qualityForRecognition ?? "high",
            },
          },
        }
      : {}),
  };
}

const randomDigest = () => randomBytes(32).toString("hex").toUpperCase();
