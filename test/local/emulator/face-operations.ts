import type { IncomingMessage } from "node:http";
import {
  badArgument,
  invalidMediaType,
  invalidRequestBody,
  sessionImageNotFound,
  sessionNotFound,
} from "../../../src/api-errors.ts";
import type { Codec, RequestBody } from "../../../src/face/codec.ts";
import type { SessionKind } from "../../../src/face/model.ts";
import { mediaType, parseJson, parseMultipart, type Reply, readBody } from "./http.ts";
import { checkVerifyImage, sessionImage } from "./images.ts";
import { describeCreated, describeListItem, describeSession, type EmulatedSession, previewStatus } from "./sessions.ts";
import type { EmulatorState } from "./state.ts";

/** One call of an operation, in one version of the service. */
export interface FaceCall {
  codec: Codec;
  state: EmulatorState;
  request: IncomingMessage;
  query: URLSearchParams;
  /** The id in the path; empty where the path has none. */
  id: string;
}

export async function createSession(kind: SessionKind, { codec, state, request }: FaceCall): Promise<Reply> {
  const body = await readCreateBody(codec, kind, request);
  const decoded = codec.createRequest.decode(kind, body);
  // Additions of the app: the service does not know them.
  const { referenceImageId, expectedReferenceImageId, clientReferenceId } = decoded;
  if ((referenceImageId ?? expectedReferenceImageId ?? clientReferenceId) !== undefined) throw invalidRequestBody();
  // A form of the previews must have an image. Later versions have forms only: a sample leaves the image to the device.
  if (body.type === "multipart" && decoded.image === undefined && !isStable(codec)) throw invalidRequestBody();
  if (decoded.image !== undefined) checkVerifyImage(decoded.image.bytes);
  const session = await state.sessions.create(codec.version, kind, decoded.request, decoded.image);
  return { status: 200, json: codec.createResponse.encode(kind, describeCreated(session)) };
}

/** Sessions with verify take multipart. All sessions take JSON, except those with verify since v1.2. */
async function readCreateBody(codec: Codec, kind: SessionKind, request: IncomingMessage): Promise<RequestBody> {
  const withVerify = kind === "livenessWithVerify";
  const type = mediaType(request);
  if (type === "application/json" && !(withVerify && isStable(codec))) {
    const parsed = parseJson(await readBody(request));
    if (parsed === undefined) throw invalidRequestBody();
    return { type: "json", value: parsed.value };
  }
  if (type === "multipart/form-data" && withVerify) {
    return await parseMultipart(await readBody(request), request.headers["content-type"] ?? "");
  }
  throw invalidMediaType();
}

export function getSession(kind: SessionKind, call: FaceCall): Reply {
  const { codec, state } = call;
  const session = findSession(kind, call);
  const described = describeSession(session, state.clock.now());
  if (!isStable(codec)) {
    return { status: 200, json: codec.session.encode(kind, { ...described, status: previewStatus(session) }) };
  }
  const body = codec.session.encode(kind, described);
  return { status: 200, json: Object.assign({}, body, tokenInGet(codec, session, state)) };
}

/** In v1.3 the field is required, and the service returns an empty text. In the published examples it is the token. */
function tokenInGet(codec: Codec, { authToken }: EmulatedSession, { settings }: EmulatorState): { authToken?: string } {
  if (settings.tokenInGet) return { authToken };
  return codec.version === "v1.2" ? {} : { authToken: "" };
}

/** Whether a version has the shape of v1.2: flat forms, and attempts in place of lists and audit entries. */
function isStable(codec: Codec): boolean {
  return codec.list === undefined;
}

export function deleteSession(kind: SessionKind, call: FaceCall): Reply {
  call.state.sessions.remove(findSession(kind, call).sessionId);
  return { status: call.codec.deletedStatus };
}

export function listSessions(kind: SessionKind, { codec, state, query }: FaceCall): Reply {
  const { start, top } = readPage(query);
  const now = state.clock.now();
  const sessions = state.sessions.list(codec.version, kind, start, top);
  return { status: 200, json: codec.list?.encode(sessions.map((session) => describeListItem(session, now))) };
}

export function listAuditEntries(kind: SessionKind, call: FaceCall): Reply {
  const session = findSession(kind, call);
  const { start, top } = readPage(call.query);
  if (!/^\d{0,19}$/.test(start)) throw badArgument();
  const after = BigInt(start);
  const attempts = session.attempts
    .filter((attempt) => attempt.audit !== undefined && BigInt(attempt.audit.id) > after)
    .slice(0, top);
  return { status: 200, json: call.codec.auditEntries?.encode(session.sessionId, attempts) };
}

export function getSessionImage({ codec, state, id }: FaceCall): Reply {
  if (state.sessions.findByImage(codec.version, id) === undefined) throw sessionImageNotFound();
  return { status: 200, bytes: sessionImage };
}

function findSession(kind: SessionKind, { codec, state, id }: FaceCall): EmulatedSession {
  const session = state.sessions.find(codec.version, kind, id);
  if (session === undefined) throw sessionNotFound();
  return session;
}

function readPage(query: URLSearchParams): { start: string; top: number } {
  const start = query.get("start") ?? "";
  const top = query.get("top") ?? "1000";
  if (start.length > 64 || !/^\d{1,4}$/.test(top) || Number(top) < 1 || Number(top) > 1000) throw badArgument();
  return { start, top: Number(top) };
}
