import { setImmediate } from "node:timers/promises";
import { creationConflict, referenceImageNotFound } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { Answered } from "../../face/client/face-service.ts";
import { isRefusal } from "../../face/errors.ts";
import type { CreatedSession } from "../../face/model.ts";
import { heldImageName } from "../images/find-image.ts";
import type { Caller } from "../model/caller.ts";
import type { Reserved } from "../model/creations.ts";
import type { Images, NewImage } from "../model/images.ts";
import type { Ports } from "../model/ports.ts";
import type { SessionRecord } from "../model/session.ts";
import { admission, countForOwner, ignoreErrors, refundCounts, refundForDevice } from "./limits.ts";
import {
  type CheckedImage,
  type OpenSessionCommand,
  type Plan,
  type PlanDeps,
  planSession,
  recordOf,
} from "./plan-session.ts";
import { type RepeatDeps, type Repeated, repeatCreation } from "./repeat-creation.ts";

export type OpenSessionDeps = PlanDeps & RepeatDeps & Pick<Ports, "schedule" | "images" | "users">;

export interface OpenedSession {
  created: CreatedSession;
  record: SessionRecord;
  /** The service's `apim-request-id`. */
  requestId?: string;
}

/**
 * Opens a session in three steps: reserve the creation and count it in the limits (a held image is read concurrently);
 * create the session at the service (the schedule entry and an uploaded image are written concurrently); commit. The
 * token is returned only after the commit, so an interruption leaves a session whose token was not delivered, and rows
 * that the timer removes. A creation that the service refuses because of its content stays counted; after any other
 * failure it does not.
 *
 * @throws ApiError from `planSession`, `admit` and `repeatCreation`; `ReferenceImageNotFound`; `CreationConflict` if the
 *   device was erased concurrently; errors of the service.
 */
export async function openSession(deps: OpenSessionDeps, command: OpenSessionCommand): Promise<OpenedSession> {
  const plan = planSession(deps, command);
  const { reservation, held, expected } = await reserveWithImages(deps, plan);
  if ("answer" in reservation) return reservation.answer;
  const { reserved } = reservation;
  const { value: created, requestId } = await openAtService(deps, plan, reserved, held);
  const record = recordOf(plan, deps.face.version, created, (plan.uploaded ?? held ?? expected)?.facts);
  await commit(deps, plan, reserved, record);
  return compact({ created, record, requestId });
}

async function reserveWithImages(
  deps: OpenSessionDeps,
  plan: Plan,
): Promise<{ reservation: Repeated; held: CheckedImage | undefined; expected: CheckedImage | undefined }> {
  const { caller, referenceImageId, expectedReferenceImageId } = plan.command;
  const [reservation, image, expected] = await Promise.allSettled([
    reserve(deps, plan),
    referenceImageId === undefined ? undefined : readHeldImage(deps.images, caller, referenceImageId),
    expectedReferenceImageId === undefined ? undefined : readHeldImage(deps.images, caller, expectedReferenceImageId),
  ]);
  if (reservation.status === "rejected") throw reservation.reason;
  if (image.status === "rejected" || expected.status === "rejected") {
    if ("reserved" in reservation.value) await ignoreErrors(giveUp(deps, plan, reservation.value.reserved));
    throw image.status === "rejected" ? image.reason : expected.status === "rejected" && expected.reason;
  }
  return { reservation: reservation.value, held: image.value, expected: expected.value };
}

async function reserve(deps: OpenSessionDeps, plan: Plan): Promise<Repeated> {
  const { key, keyHash } = plan;
  const { deviceCorrelationId } = plan.command.request;
  // A repeat must find the same place. Without a device, the place is derived from the idempotency key.
  const reservation = compact({ ...key, deviceCorrelationId, keyHash, anchor: keyHash?.slice(0, 32) });
  const outcome = await deps.creations.reserve(reservation, admission(deps, plan));
  if ("existing" in outcome) return repeatCreation(deps, plan, outcome.existing);
  const { reserved } = outcome;
  await countForOwner(deps, plan).catch(async (refusal: unknown) => {
    await ignoreErrors(Promise.all([deps.creations.release(reserved), refundForDevice(deps, plan, reserved)]));
    throw refusal;
  });
  return outcome;
}

/** Ends a creation and removes it from the counts. */
async function giveUp(deps: OpenSessionDeps, plan: Plan, reserved: Reserved): Promise<void> {
  await Promise.all([deps.creations.release(reserved), refundCounts(deps, plan, reserved)]);
}

async function readHeldImage(images: Images, caller: Caller, referenceImageId: string): Promise<CheckedImage> {
  const held = await images.get(heldImageName(caller, referenceImageId));
  if (held === undefined) throw referenceImageNotFound();
  return held;
}

async function openAtService(
  deps: OpenSessionDeps,
  plan: Plan,
  reserved: Reserved,
  held: CheckedImage | undefined,
): Promise<Answered<CreatedSession>> {
  const { command, request, uploaded } = plan;
  const { creationId, createdOn } = plan.creation;
  const image = command.image ?? (held && { bytes: held.bytes, contentType: held.facts.contentType });
  const opening = deps.face.create(command.kind, request, image);
  const user = plan.key.userCorrelationId;
  // The call of the service takes longest, so the concurrent writes start only after its request is sent.
  const requestSent = setImmediate();
  const [opened, ...writes] = await Promise.allSettled([
    opening,
    requestSent.then(() =>
      deps.schedule.put({
        ...{ creationId, createdOn, place: reserved.place, phase: "collect", dueOn: plan.key.dueOn },
        ...compact({ userCorrelationId: user }),
      }),
    ),
    user !== undefined &&
      requestSent.then(() =>
        deps.users.put(user, { creationId, createdOn, place: reserved.place }, command.caller.owner),
      ),
    uploaded && requestSent.then(() => deps.images.put(`sessions/${creationId}`, newImage(uploaded, command))),
  ]);
  const failed = [opened, ...writes].find((outcome) => outcome.status === "rejected");
  if (opened.status === "fulfilled" && failed === undefined) return opened.value;
  const staysCounted = opened.status === "rejected" && isRefusal(opened.reason);
  const sessionId = opened.status === "fulfilled" ? opened.value.value.sessionId : undefined;
  await undo(deps, plan, reserved, { staysCounted, sessionId });
  throw failed?.reason;
}

function newImage({ bytes, facts }: CheckedImage, { request, caller }: OpenSessionCommand): NewImage {
  return compact({ bytes, facts, deviceCorrelationId: request.deviceCorrelationId, owner: caller.owner });
}

async function commit(deps: OpenSessionDeps, plan: Plan, reserved: Reserved, record: SessionRecord): Promise<void> {
  const committed = await deps.creations.commit(reserved, record).catch(async (error: unknown) => {
    // The record may have been written, although the token is not returned. `release` fails if it was written.
    await ignoreErrors(deps.face.revoke(record));
    await ignoreErrors(releaseUncommitted(deps, plan, reserved));
    throw error;
  });
  if (committed) return;
  await undo(deps, plan, reserved, { staysCounted: false, sessionId: record.sessionId });
  throw creationConflict();
}

/** Ends a creation that stays counted. Without a device, no later creation reads the guard, so its count is removed. */
async function endCounted(deps: OpenSessionDeps, plan: Plan, reserved: Reserved): Promise<void> {
  const isDeviceKnown = plan.request.deviceCorrelationId !== undefined;
  await Promise.all([deps.creations.release(reserved), !isDeviceKnown && refundForDevice(deps, plan, reserved)]);
}

async function releaseUncommitted(deps: OpenSessionDeps, plan: Plan, reserved: Reserved): Promise<void> {
  if (await deps.creations.release(reserved)) await refundCounts(deps, plan, reserved);
}

/**
 * Undoes a failed creation as far as possible. The schedule entry is removed last, and only if all other removals
 * succeeded: through this entry, the timer finds what is left.
 */
async function undo(
  deps: OpenSessionDeps,
  plan: Plan,
  reserved: Reserved,
  { staysCounted, sessionId }: { staysCounted: boolean; sessionId: string | undefined },
): Promise<void> {
  const { face, schedule, images } = deps;
  const { command, creation, uploaded } = plan;
  const [, ...taken] = await Promise.allSettled([
    // If the revocation fails, the session expires: its token was not returned.
    sessionId !== undefined && face.revoke({ kind: command.kind, sessionId, upstreamVersion: face.version }),
    staysCounted ? endCounted(deps, plan, reserved) : giveUp(deps, plan, reserved),
    plan.key.userCorrelationId !== undefined && deps.users.remove(plan.key.userCorrelationId, creation),
    uploaded !== undefined && images.delete(`sessions/${creation.creationId}`),
  ]);
  if (taken.every(({ status }) => status === "fulfilled")) await ignoreErrors(schedule.remove([plan.key]));
}
