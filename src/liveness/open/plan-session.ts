import { createHash } from "node:crypto";
import { deviceSetInClientDisabled, invalidRequestBody } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import { carryOver, isCarried } from "../../face/carry-over.ts";
import type { CreateRequest } from "../../face/codec.ts";
import {
  type ApiVersion,
  type CreatedSession,
  maxAttempts,
  type SessionKind,
  type SessionRequest,
} from "../../face/model.ts";
import { inspectImage } from "../images/inspect-image.ts";
import type { Caller } from "../model/caller.ts";
import type { CreationKey } from "../model/creations.ts";
import type { ImageFacts } from "../model/images.ts";
import type { Ports } from "../model/ports.ts";
import type { SessionRecord } from "../model/session.ts";
import type { OpeningPolicy } from "../model/settings.ts";
import { collectDueOn, sessionLifeMs } from "../retain/retention.ts";
import { deriveUserId } from "./derived-user-id.ts";
import { countedFor } from "./limits.ts";

export interface OpenSessionCommand extends CreateRequest {
  kind: SessionKind;
  /** The caller's API version. */
  apiVersion: ApiVersion;
  caller: Caller;
  /** A repeat with the same key returns the same session. */
  idempotencyKey?: string;
}

/** A creation in progress for longer counts as crashed. */
const leaseMs = 30_000;

/** An image with the facts derived from its bytes. */
export interface CheckedImage {
  bytes: Uint8Array;
  facts: ImageFacts;
}

/** A checked creation with its ids and times, before anything is written. */
export interface Plan {
  command: OpenSessionCommand;
  /** The request for the service. */
  request: SessionRequest;
  uploaded: CheckedImage | undefined;
  creation: Pick<SessionRecord, "creationId" | "createdOn" | "tokenExpiresOn" | "expiresOn" | "ttlSeconds">;
  /** Lowest match confidence that the session accepts: the request's or the operator's. Undefined: any. */
  threshold: number | undefined;
  /** SHA-256 (hex) of the idempotency key and its owner; undefined if the request has no key. */
  keyHash: string | undefined;
  key: CreationKey;
}

export type PlanDeps = Pick<Ports, "face" | "now" | "newId" | "policy">;

/**
 * Checks a creation and plans it. Nothing is read or written.
 *
 * @throws ApiError `DeviceSetInClientDisabled`, `NotSupportedByUpstreamVersion`, `InvalidImage`, `InvalidImageSize`.
 */
export function planSession(deps: PlanDeps, command: OpenSessionCommand): Plan {
  const { kind, request, image, referenceImageId } = command;
  if (request.deviceCorrelationIdSetInClient && !deps.policy.allowDeviceSetInClient) {
    throw deviceSetInClientDisabled();
  }
  const hasImage = image !== undefined || referenceImageId !== undefined;
  const expectsImage = command.expectedReferenceImageId !== undefined;
  // The client submits the image, which only its hash identifies.
  const asked = expectsImage ? { ...request, returnVerifyImageHash: true } : request;
  carryOver(deps.face.version, kind, asked, hasImage);
  const uploaded = image && { bytes: image.bytes, facts: inspectImage(image.bytes) };
  // The hash shows which image the service has used, so it is requested whenever the app knows the image.
  const asksForHash = hasImage && isCarried("returnVerifyImageHash", deps.face.version);
  const creation = dateCreation(deps, request);
  const { idempotencyKey, caller } = command;
  return {
    command,
    request: {
      ...asked,
      ...nameUser(deps, command, creation.creationId),
      // Clients of older dialects, which lack the field, expect the number of attempts of the older versions.
      numberOfClientAttemptsAllowed: request.numberOfClientAttemptsAllowed ?? maxAttempts,
      ...(asksForHash && { returnVerifyImageHash: true }),
    },
    uploaded,
    creation,
    threshold: kind === "livenessWithVerify" ? thresholdOf(request, deps.policy) : undefined,
    keyHash: idempotencyKey === undefined ? undefined : sha256(`${holderOf(caller, request)}${idempotencyKey}`),
    key: compact({
      creationId: creation.creationId,
      leaseUntil: new Date(Date.parse(creation.createdOn) + leaseMs).toISOString(),
      dueOn: collectDueOn(creation.tokenExpiresOn),
      countedFor: countedFor(caller),
      bodyHash: idempotencyKey === undefined ? undefined : hashCommand(command, uploaded),
      owner: caller.owner,
      userCorrelationId: request.userCorrelationId,
      createdOn: request.userCorrelationId === undefined ? undefined : creation.createdOn,
    }),
  };
}

/**
 * A derived user id, if the service requires an id and the request contains none. For a signed-in user, the derived id
 * always replaces the id of the request: the service refuses sessions with a flagged id, so a user could block others by
 * naming their ids.
 *
 * @throws ApiError `InvalidRequestBody` if the device of a signed-in user is to send the id.
 */
function nameUser(
  { face, policy }: PlanDeps,
  { request, caller }: OpenSessionCommand,
  creationId: string,
): Pick<SessionRequest, "userCorrelationId"> {
  if (!isCarried("userCorrelationId", face.version)) return {};
  const isUser = !caller.trusted && caller.owner !== undefined;
  if (isUser && request.userCorrelationIdSetInClient) {
    throw invalidRequestBody([
      { code: "InvalidField", message: "Only for trusted services.", target: "userCorrelationIdSetInClient" },
    ]);
  }
  const isNamed = request.userCorrelationId !== undefined || request.userCorrelationIdSetInClient === true;
  if (isNamed && !isUser) return {};
  if (policy.userIdKey === undefined) throw new TypeError("The settings contain no key for user ids");
  const { deviceCorrelationId } = request;
  return { userCorrelationId: deriveUserId(policy.userIdKey, { caller, deviceCorrelationId, creationId }) };
}

/** Undefined: any match confidence is accepted. */
function thresholdOf({ verifyConfidenceThreshold = 0 }: SessionRequest, { confidenceFloor }: OpeningPolicy) {
  const threshold = Math.max(verifyConfidenceThreshold, confidenceFloor);
  return threshold > 0 ? threshold : undefined;
}

function dateCreation({ now, newId }: PlanDeps, request: SessionRequest): Plan["creation"] {
  const start = now();
  const ttlSeconds = request.authTokenTimeToLiveInSeconds;
  return {
    creationId: newId(),
    createdOn: new Date(start).toISOString(),
    tokenExpiresOn: new Date(start + ttlSeconds * 1000).toISOString(),
    expiresOn: new Date(start + sessionLifeMs).toISOString(),
    ttlSeconds,
  };
}

/** SHA-256 (hex) of everything that must be equal in a repeat and the first request. */
function hashCommand(command: OpenSessionCommand, uploaded: CheckedImage | undefined): string {
  const { kind, request, referenceImageId, expectedReferenceImageId, clientReferenceId } = command;
  const asked = Object.entries(request).sort(([one], [other]) => (one < other ? -1 : 1));
  const image = uploaded?.facts.sha256;
  return sha256(JSON.stringify({ kind, asked, referenceImageId, expectedReferenceImageId, clientReferenceId, image }));
}

/**
 * Prefix of the idempotency key that separates its owners. Each principal has keys of its own, so that a key neither
 * collides with nor reveals another principal's. Services share the keys of a device; without a named device, each client
 * has its own.
 */
function holderOf({ owner, clientName }: Caller, { deviceCorrelationIdSetInClient }: SessionRequest): string {
  if (owner !== undefined) return `${owner}:`;
  return deviceCorrelationIdSetInClient && clientName !== undefined ? `client ${clientName}:` : "";
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The record of a session that the service has just opened. */
export function recordOf(
  plan: Plan,
  upstreamVersion: ApiVersion,
  created: CreatedSession,
  image: ImageFacts | undefined,
): SessionRecord {
  const { command, creation } = plan;
  const { caller, expectedReferenceImageId } = command;
  return compact({
    ...creation,
    sessionId: created.sessionId,
    kind: command.kind,
    apiVersion: command.apiVersion,
    upstreamVersion,
    status: "NotStarted",
    attempts: 0,
    final: false,
    reasons: [],
    countedFor: plan.key.countedFor,
    deviceCorrelationId: command.request.deviceCorrelationId,
    userCorrelationId: command.request.userCorrelationId,
    attemptsAllowed: command.request.numberOfClientAttemptsAllowed,
    expectedClientIpAddress: command.request.expectedClientIpAddress,
    clientReferenceId: command.clientReferenceId,
    threshold: plan.threshold,
    modelVersion: created.modelVersion,
    verifyReferences: created.verifyReferences.length > 0 ? created.verifyReferences : undefined,
    referenceImageId: plan.uploaded ? creation.creationId : (command.referenceImageId ?? expectedReferenceImageId),
    referenceImageHash: image?.sha256,
    imageFromClient: expectedReferenceImageId === undefined ? undefined : true,
    clientName: caller.clientName,
    owner: caller.owner,
  });
}
