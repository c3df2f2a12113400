import type * as z from "zod";
import type {
  ApiVersion,
  Attempt,
  CreatedSession,
  SessionKind,
  SessionListItem,
  SessionRequest,
  SessionState,
  VerifyImage,
} from "./model.ts";

/** One part of a multipart body, its content whole. */
export interface BodyPart {
  name: string;
  /** Present when the part is a file. */
  filename?: string;
  contentType?: string;
  content: Uint8Array | string;
}

/** A request body after its media type has been dealt with. */
export type RequestBody = { type: "json"; value: unknown } | { type: "multipart"; parts: BodyPart[] };

/** What a create request holds: the neutral request, the image where one came, and our own additions. */
export interface CreateRequest {
  request: SessionRequest;
  image?: VerifyImage;
  /** Names a held image instead of `image`. */
  referenceImageId?: string;
  /** Names the held image that the client device must submit, where it submits the image itself. */
  expectedReferenceImageId?: string;
  /** The app's own reference, 1 to 128 characters. */
  clientReferenceId?: string;
}

/** What is said of sessions of one kind in a version, as schemas. */
export interface WireShapes {
  /** What opens a session, by media type; a form's parts are its properties. */
  create: { json: z.ZodType; multipart?: z.ZodType };
  created: z.ZodType;
  /** As we tell it, which is without its token. */
  session: z.ZodType;
  list?: z.ZodType;
  auditEntries?: z.ZodType;
}

/**
 * One version of the API, both ways. Requests are strict: nothing unknown is dropped. Responses are tolerant, and what
 * decodes them throws a `ZodError`, which holds no values, for a body that is not of the version's shape.
 */
export interface Codec {
  readonly version: ApiVersion;
  /** Paths below `{endpoint}/face/{version}`, each beginning with a slash; ids are encoded for the path. Absent: no such operation. */
  readonly paths: {
    sessions(kind: SessionKind): string;
    session(kind: SessionKind, sessionId: string): string;
    audit?(kind: SessionKind, sessionId: string): string;
    sessionImage?(sessionImageId: string): string;
  };
  /** Status of a successful DELETE: 200 in the previews, 204 in v1.2. */
  readonly deletedStatus: 200 | 204;
  /** For whoever describes what is said, or checks it from outside. Made anew by each call. */
  shapes(kind: SessionKind): WireShapes;
  readonly createRequest: {
    /**
     * Throws `ApiError` 400 in the service's words, 415 for a form where there is nothing to verify. Accepts our additions
     * (`referenceImageId`, `clientReferenceId`).
     */
    decode(kind: SessionKind, body: RequestBody): CreateRequest;
    /** Throws `ApiError` 400 for what this version cannot carry. Never encodes our additions. */
    encode(kind: SessionKind, request: SessionRequest, image?: VerifyImage): RequestBody;
  };
  readonly createResponse: {
    decode(kind: SessionKind, body: unknown): CreatedSession;
    encode(kind: SessionKind, created: CreatedSession): unknown;
  };
  readonly session: {
    decode(kind: SessionKind, body: unknown): SessionState;
    /** Never encodes `authToken`. */
    encode(kind: SessionKind, state: SessionState): unknown;
  };
  readonly auditEntries?: {
    decode(body: unknown): Attempt[];
    /** @param facts what an entry tells of its session, for attempts that do not tell it themselves. */
    encode(
      sessionId: string,
      attempts: readonly Attempt[],
      facts?: Pick<SessionState, "modelVersion" | "verifyReferences">,
    ): unknown;
  };
  readonly list?: {
    decode(body: unknown): SessionListItem[];
    encode(items: readonly SessionListItem[]): unknown;
  };
}
