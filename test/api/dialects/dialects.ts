import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import * as z from "zod";
import type { ApiVersion, SessionKind } from "../../../src/face/model.ts";
import * as preview from "../../../src/face/versions/previews.ts";
import * as stable from "../../../src/face/versions/stable-shapes.ts";
import { makeImage } from "../../fixtures/images.ts";
import type { Answer, AppRequest } from "../support/app-client.ts";
import * as official from "./official-shapes.ts";

/** An attempt in an answer of any dialect. */
export interface ReadAttempt {
  decision?: string;
  digest?: string;
  match?: { matchConfidence: number; isIdentical: boolean };
  verifyImageHash?: string;
  sessionImageId?: string;
  errorCode?: string;
}

export interface ReadSession {
  status: string;
  /** All attempts, oldest first, in v1.2 and v1.3; in the older previews the latest one that has ended. */
  attempts: ReadAttempt[];
  /** Number of faces in the verify image. */
  references: number;
}

export type Send = (path: string, request?: AppRequest) => Promise<Answer>;

/** Requests and answers of one version. Reading an answer checks its whole shape. */
export interface Dialect {
  version: ApiVersion;
  isPreview: boolean;
  sessions(kind: SessionKind): string;
  deletedStatus: number;
  /** Fields of a creation, with those that only this version requires; three attempts, as older versions allow. */
  fields<T extends object>(fields: T): T & { userCorrelationId?: string };
  /** The status of a session with a result. */
  doneStatus: string;
  form(fields: object, image: Uint8Array<ArrayBuffer>): FormData;
  readCreated(kind: SessionKind, body: unknown): { sessionId: string; authToken: string; references: number };
  readSession(kind: SessionKind, body: unknown): ReadSession;
}

const names = { liveness: "detectLiveness", livenessWithVerify: "detectLivenessWithVerify" } as const;

function previewDialect(version: ApiVersion): Dialect {
  return {
    version,
    isPreview: true,
    sessions: (kind) => `face/${version}/${names[kind]}/singleModal/sessions`,
    deletedStatus: 200,
    fields: (fields) => fields,
    doneStatus: "ResultAvailable",
    form(fields, image) {
      const form = new FormData();
      form.set("Parameters", JSON.stringify(fields));
      form.set("VerifyImage", new File([image], "me.jpg", { type: "image/jpeg" }));
      return form;
    },
    readCreated(_kind, body) {
      const { sessionId, authToken, verifyImage } = preview.createdSession.parse(official.previewCreated.parse(body));
      return { sessionId, authToken, references: verifyImage ? 1 : 0 };
    },
    readSession(_kind, body) {
      official.previewSession.parse(body);
      const { status, result } = preview.session.parse(body);
      if (version === "v1.1-preview.1" && result) assertNoNewFields(result);
      const references = result?.response.body?.verifyResult?.verifyImage ? 1 : 0;
      return { status, attempts: result ? [readEntry(result)] : [], references };
    },
  };
}

type Entry = z.output<typeof preview.auditEntryList>[number];

/** Entries of an audit trail, ascending. */
export function readEntries(body: unknown): { id: string; attempt: ReadAttempt }[] {
  official.previewEntries.parse(body);
  const entries = preview.auditEntryList
    .parse(body)
    .map((entry) => ({ id: String(entry.id), attempt: readEntry(entry) }));
  const ids = entries.map(({ id }) => BigInt(id));
  assert.ok(
    ids.every((id, index) => index === 0 || id > (ids[index - 1] ?? 0n)),
    `not ascending: ${ids}`,
  );
  return entries;
}

export function readList(body: unknown) {
  official.previewList.parse(body);
  return preview.sessionList.parse(body);
}

function readEntry({ response, digest, sessionImageId, verifyImageHash }: Entry): ReadAttempt {
  const { livenessDecision, verifyResult, error } = response.body ?? {};
  return compact({
    decision: livenessDecision,
    digest: error ? undefined : digest,
    match: verifyResult && { matchConfidence: verifyResult.matchConfidence, isIdentical: verifyResult.isIdentical },
    verifyImageHash,
    sessionImageId,
    errorCode: error?.code,
  });
}

/** The older preview has neither field. */
function assertNoNewFields({ sessionImageId, verifyImageHash }: Entry): void {
  assert.deepEqual([sessionImageId, verifyImageHash], [undefined, undefined]);
}

/** The versions with attempts in the session. */
const stableDialect = (version: ApiVersion): Dialect => ({
  version,
  isPreview: false,
  sessions: (kind) => `face/${version}/${names[kind]}-sessions`,
  deletedStatus: 204,
  fields: (fields) =>
    version === "v1.3-preview.1"
      ? { userCorrelationId: randomUUID(), numberOfClientAttemptsAllowed: 3, ...fields }
      : fields,
  doneStatus: "Succeeded",
  form(fields, image) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
    form.set("verifyImage", new File([image], "me.jpg", { type: "image/jpeg" }));
    return form;
  },
  readCreated(kind, body) {
    (kind === "liveness" ? official.stableCreated : official.stableVerifyCreated).parse(body);
    const { sessionId, authToken, results } = stable.createdSession.parse(body);
    return { sessionId, authToken, references: results?.verifyReferences?.length ?? 0 };
  },
  readSession(kind, body) {
    const { status, results, ...session } = stable.session.parse(body);
    // The service's own answer in v1.3 has an empty token.
    const rest = session.authToken === "" ? omitToken(body) : body;
    (kind === "liveness" ? official.stableSession : official.stableVerifySession).parse(rest);
    const attempts = results.attempts
      .toSorted((one, other) => one.attemptId - other.attemptId)
      .map(({ result, error }) =>
        compact({
          decision: result?.livenessDecision,
          digest: result?.digest,
          match: result?.verifyResult,
          verifyImageHash: result?.verifyImageHash,
          sessionImageId: result?.sessionImageId,
          errorCode: error?.code,
        }),
      );
    const ids = results.attempts.map(({ attemptId }) => attemptId);
    assert.deepEqual(
      ids,
      ids.toSorted((one, other) => other - one),
      "the newest attempt is not the first",
    );
    return { status, attempts, references: results.verifyReferences?.length ?? 0 };
  },
});

function omitToken(body: unknown): unknown {
  const { authToken: _, ...rest } = z.record(z.string(), z.unknown()).parse(body);
  return rest;
}

function compact(fields: { [Name in keyof ReadAttempt]: ReadAttempt[Name] | null | undefined }): ReadAttempt {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}

export const dialects: readonly Dialect[] = [
  previewDialect("v1.1-preview.1"),
  previewDialect("v1.2-preview.1"),
  stableDialect("v1.2"),
  stableDialect("v1.3-preview.1"),
];

/** Whether a version returns all attempts in the session, and has no audit trail. */
export function isStable(version: ApiVersion): boolean {
  return !dialectOf(version).isPreview;
}

export function dialectOf(version: ApiVersion): Dialect {
  const found = dialects.find((dialect) => dialect.version === version);
  assert.ok(found);
  return found;
}

/**
 * Creates a session of a new device. An image goes into a form; without one (null) the request is JSON. `more` are further
 * fields, or undefined ones to leave out.
 */
export function createIn(
  dialect: Dialect,
  { send }: { send: Send },
  kind: SessionKind,
  more: object = {},
  image = kind === "liveness" ? null : makeImage(),
): Promise<Answer> {
  const fields = dialect.fields({ livenessOperationMode: "Passive", deviceCorrelationId: randomUUID(), ...more });
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return send(dialect.sessions(kind), image === null ? { json: given } : { body: dialect.form(given, image) });
}

/** Creates a session as `createIn` does. Fails unless the status is 200. */
export async function openIn(...creation: Parameters<typeof createIn>) {
  const [dialect, , kind] = creation;
  const { status, body } = await createIn(...creation);
  assert.equal(status, 200, JSON.stringify(body));
  return { ...dialect.readCreated(kind, body), created: body };
}
