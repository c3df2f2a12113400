import { ApiError } from "../errors.ts";
import type { CreateRequest } from "../face/codec.ts";
import type { ApiVersion, CreatedSession, SessionKind, VerifyImage } from "../face/model.ts";
import { type Caller, mayUse } from "./access.ts";
import { inspectImage } from "./image.ts";
import { admit } from "./limits.ts";
import type {
  Answered,
  Clock,
  FaceService,
  ImageFacts,
  ImageStore,
  NewId,
  NewImage,
  Reserved,
  SessionStore,
} from "./ports.ts";
import { collectDueOn, sessionLifeMs } from "./retention.ts";
import type { SessionRecord } from "./session.ts";

export interface OpenSessionDeps {
  face: FaceService;
  sessions: SessionStore;
  images: ImageStore;
  now: Clock;
  newId: NewId;
}

export interface OpenSessionCommand extends CreateRequest {
  kind: SessionKind;
  /** The dialect of the caller. */
  apiVersion: ApiVersion;
  caller: Caller;
}

export interface OpenedSession {
  created: CreatedSession;
  record: SessionRecord;
  /** The service's `apim-request-id`. */
  requestId?: string;
}

/** How long a creation may be under way before it counts as crashed. */
const leaseMs = 30_000;

/**
 * Opens a session. In order: take a place in the device's partition (the held image is read beside it); open the session
 * at the service (the expiry row and the uploaded image are stored beside it); commit. The token leaves only after the
 * commit, so whatever stops this halfway leaves a session whose token nobody has, and rows that the timer removes.
 *
 * @throws ApiError 400 `InvalidImage`, `InvalidImageSize`, `ReferenceImageNotFound`; 409 `CreationConflict` where the
 *   device's rows were removed meanwhile; and whatever the service has to say.
 */
export async function openSession(deps: OpenSessionDeps, command: OpenSessionCommand): Promise<OpenedSession> {
  const uploaded = command.image && { bytes: command.image.bytes, facts: inspectImage(command.image.bytes) };
  const creation = planCreation(deps, command);
  const { reserved, held } = await takePlace(deps, command, creation);
  const undo = (sessionId?: string) => undoCreation(deps, command, creation, reserved, sessionId);

  const { value: created, requestId } = await openAtService(
    deps,
    command,
    creation,
    reserved,
    { uploaded, held },
    undo,
  );
  const record = recordOf(deps, command, creation, created, {
    idempotencyRowKey: reserved.idempotencyRowKey,
    facts: (uploaded ?? held)?.facts,
  });
  const committed = await deps.sessions.commit(reserved, record).catch(async (error: unknown) => {
    // Whether it was written is not known; that nobody gets the token is.
    await quietly(deps.face.revoke(command.kind, created.sessionId));
    throw error;
  });
  if (!committed) {
    await undo(created.sessionId);
    throw new ApiError(
      409,
      "CreationConflict",
      "The device's records were removed while the session was being created.",
    );
  }
  return { created, record, ...(requestId !== undefined && { requestId }) };
}

/** What is known of a session before the service has named it. */
type Creation = Pick<
  SessionRecord,
  "creationId" | "createdOn" | "tokenExpiresOn" | "expiresOn" | "ttlSeconds" | "expiryPartition"
>;

function planCreation({ now, newId, sessions }: OpenSessionDeps, { request }: OpenSessionCommand): Creation {
  const creationId = newId();
  const start = now();
  const ttlSeconds = request.authTokenTimeToLiveInSeconds;
  const tokenExpiresOn = new Date(start + ttlSeconds * 1000).toISOString();
  return {
    creationId,
    createdOn: new Date(start).toISOString(),
    tokenExpiresOn,
    expiresOn: new Date(start + sessionLifeMs).toISOString(),
    ttlSeconds,
    expiryPartition: sessions.expiryPartition(creationId, collectDueOn(tokenExpiresOn)),
  };
}

interface HeldImage {
  bytes: Uint8Array;
  facts: ImageFacts;
}

async function takePlace(deps: OpenSessionDeps, command: OpenSessionCommand, { creationId, createdOn }: Creation) {
  const { request, caller, referenceImageId } = command;
  const start = Date.parse(createdOn);
  const [place, image] = await Promise.allSettled([
    deps.sessions.reserve(
      {
        creationId,
        leaseUntil: new Date(start + leaseMs).toISOString(),
        ...(request.deviceCorrelationId !== undefined && { deviceCorrelationId: request.deviceCorrelationId }),
        ...(caller.owner !== undefined && { owner: caller.owner }),
      },
      (guard) => admit(guard, start),
    ),
    referenceImageId === undefined ? undefined : readHeldImage(deps.images, caller, referenceImageId),
  ]);
  if (place.status === "rejected") throw place.reason;
  // Without an idempotency key the row bears the creation's own id: one that is already there is our own.
  const reserved = "reserved" in place.value ? place.value.reserved : place.value.existing;
  if (image.status === "rejected") {
    await quietly(deps.sessions.release(reserved));
    throw image.reason;
  }
  return { reserved, held: image.value };
}

async function readHeldImage(images: ImageStore, caller: Caller, referenceImageId: string): Promise<HeldImage> {
  const held = await images.get(`held/${referenceImageId}`);
  if (held === undefined || !mayUse(caller, held.facts)) {
    throw new ApiError(400, "ReferenceImageNotFound", "There is no reference image with this referenceImageId.");
  }
  return held;
}

async function openAtService(
  deps: OpenSessionDeps,
  { kind, request, image, caller }: OpenSessionCommand,
  creation: Creation,
  reserved: Reserved,
  { uploaded, held }: { uploaded: HeldImage | undefined; held: HeldImage | undefined },
  undo: (sessionId?: string) => Promise<void>,
): Promise<Answered<CreatedSession>> {
  const verifyImage: VerifyImage | undefined =
    image ?? (held && { bytes: held.bytes, contentType: held.facts.contentType });
  const [opened, ...beside] = await Promise.allSettled([
    deps.face.create(kind, request, verifyImage),
    deps.sessions.schedule({
      creationId: creation.creationId,
      phase: "collect",
      dueOn: collectDueOn(creation.tokenExpiresOn),
      partition: reserved.partition,
      row: deps.sessions.rowKey(creation.createdOn, creation.creationId),
      idempotencyRowKey: reserved.idempotencyRowKey,
      expiryPartition: creation.expiryPartition,
    }),
    uploaded &&
      deps.images.put(`sessions/${creation.creationId}`, newImage(uploaded, request.deviceCorrelationId, caller)),
  ]);
  const failed = [opened, ...beside].find((outcome) => outcome.status === "rejected");
  if (opened.status === "fulfilled" && failed === undefined) return opened.value;
  await undo(opened.status === "fulfilled" ? opened.value.value.sessionId : undefined);
  throw failed?.status === "rejected" ? failed.reason : undefined;
}

function newImage({ bytes, facts }: HeldImage, deviceCorrelationId: string | undefined, { owner }: Caller): NewImage {
  return {
    bytes,
    facts,
    ...(deviceCorrelationId !== undefined && { deviceCorrelationId }),
    ...(owner !== undefined && { owner }),
  };
}

function recordOf(
  { face }: OpenSessionDeps,
  command: OpenSessionCommand,
  creation: Creation,
  created: CreatedSession,
  stored: { idempotencyRowKey: string; facts: ImageFacts | undefined },
): SessionRecord {
  const { request, caller } = command;
  const referenceImageId = command.image ? creation.creationId : command.referenceImageId;
  return {
    ...creation,
    sessionId: created.sessionId,
    kind: command.kind,
    apiVersion: command.apiVersion,
    upstreamVersion: face.version,
    status: "NotStarted",
    attempts: 0,
    final: false,
    reasons: [],
    idempotencyRowKey: stored.idempotencyRowKey,
    ...(request.deviceCorrelationId !== undefined && { deviceCorrelationId: request.deviceCorrelationId }),
    ...(command.clientReferenceId !== undefined && { clientReferenceId: command.clientReferenceId }),
    ...(request.verifyConfidenceThreshold !== undefined && { threshold: request.verifyConfidenceThreshold }),
    ...(created.modelVersion !== undefined && { modelVersion: created.modelVersion }),
    ...(referenceImageId !== undefined && { referenceImageId }),
    ...(stored.facts !== undefined && { referenceImageHash: stored.facts.sha256 }),
    ...(caller.clientName !== undefined && { clientName: caller.clientName }),
    ...(caller.owner !== undefined && { owner: caller.owner }),
  };
}

/** Takes back what a failed creation has left, as far as that works now; the timer removes the rest. */
async function undoCreation(
  { face, sessions, images }: OpenSessionDeps,
  { kind, image }: OpenSessionCommand,
  creation: Creation,
  reserved: Reserved,
  sessionId: string | undefined,
): Promise<void> {
  await Promise.all([
    sessionId !== undefined && quietly(face.revoke(kind, sessionId)),
    quietly(sessions.release(reserved)),
    quietly(sessions.unschedule([{ expiryPartition: creation.expiryPartition, creationId: creation.creationId }])),
    image !== undefined && quietly(images.delete(`sessions/${creation.creationId}`)),
  ]);
}

/** For steps back: the error that caused them is the one to tell. */
async function quietly(step: Promise<unknown>): Promise<void> {
  await step.catch(() => undefined);
}
