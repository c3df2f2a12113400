import assert from "node:assert/strict";
import type * as z from "zod";
import { parseJson } from "../../../src/face/int64.ts";
import type { ApiVersion, SessionKind } from "../../../src/face/model.ts";
import * as preview from "../../../src/face/versions/previews.ts";
import * as stable from "../../../src/face/versions/v1.2-shapes.ts";
import type { Answer, AppRequest } from "../support/app-client.ts";
import { checkAnswer } from "../support/described-answers.ts";
import * as official from "./official-shapes.ts";

/** What an answer tells of an attempt, whatever the dialect. */
export interface ToldAttempt {
  decision?: string;
  digest?: string;
  match?: { matchConfidence: number; isIdentical: boolean };
  verifyImageHash?: string;
  sessionImageId?: string;
  errorCode?: string;
}

export interface ToldSession {
  status: string;
  /** All of them where the dialect tells all, else the latest that has ended. */
  attempts: ToldAttempt[];
  /** How many faces the dialect tells of in the verify image. */
  references: number;
}

/** How an app of one version makes its calls and reads its answers. Reading checks the whole shape. */
export interface Dialect {
  version: ApiVersion;
  isPreview: boolean;
  sessions(kind: SessionKind): string;
  deletedStatus: number;
  /** The status of a session with a result. */
  doneStatus: string;
  form(fields: object, image: Uint8Array<ArrayBuffer>): FormData;
  readCreated(kind: SessionKind, body: unknown): { sessionId: string; authToken: string; references: number };
  readSession(kind: SessionKind, body: unknown): ToldSession;
}

const names = { liveness: "detectLiveness", livenessWithVerify: "detectLivenessWithVerify" } as const;

function previewDialect(version: ApiVersion): Dialect {
  return {
    version,
    isPreview: true,
    sessions: (kind) => `face/${version}/${names[kind]}/singleModal/sessions`,
    deletedStatus: 200,
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
      if (version === "v1.1-preview.1") assertNoNewFields(body);
      const references = result?.response.body?.verifyResult?.verifyImage ? 1 : 0;
      return { status, attempts: result ? [readEntry(result)] : [], references };
    },
  };
}

type Entry = z.output<typeof preview.auditEntryList>[number];

/** Entries of a previews' audit answer, ascending. */
export function readEntries(body: unknown): { id: string; told: ToldAttempt }[] {
  official.previewEntries.parse(body);
  const entries = preview.auditEntryList.parse(body).map((entry) => ({ id: String(entry.id), told: readEntry(entry) }));
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

function readEntry({ response, digest, sessionImageId, verifyImageHash }: Entry): ToldAttempt {
  const { livenessDecision, verifyResult, error } = response.body ?? {};
  return told({
    decision: livenessDecision,
    digest: error ? undefined : digest,
    match: verifyResult && { matchConfidence: verifyResult.matchConfidence, isIdentical: verifyResult.isIdentical },
    verifyImageHash,
    sessionImageId,
    errorCode: error?.code,
  });
}

/** The older preview knows neither of these. */
function assertNoNewFields(body: unknown): void {
  assert.doesNotMatch(JSON.stringify(body), /sessionImageId|verifyImageHash/);
}

const stableDialect: Dialect = {
  version: "v1.2",
  isPreview: false,
  sessions: (kind) => `face/v1.2/${names[kind]}-sessions`,
  deletedStatus: 204,
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
    (kind === "liveness" ? official.stableSession : official.stableVerifySession).parse(body);
    const { status, results } = stable.session.parse(body);
    const attempts = results.attempts
      .toSorted((one, other) => one.attemptId - other.attemptId)
      .map(({ result, error }) =>
        told({
          decision: result?.livenessDecision,
          digest: result?.digest,
          match: result?.verifyResult,
          verifyImageHash: result?.verifyImageHash,
          sessionImageId: result?.sessionImageId,
          errorCode: error?.code,
        }),
      );
    return { status, attempts, references: results.verifyReferences?.length ?? 0 };
  },
};

function told(fields: { [Name in keyof ToldAttempt]: ToldAttempt[Name] | null | undefined }): ToldAttempt {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}

export const dialects: readonly Dialect[] = [
  previewDialect("v1.1-preview.1"),
  previewDialect("v1.2-preview.1"),
  stableDialect,
];

export function dialectOf(version: ApiVersion): Dialect {
  const found = dialects.find((dialect) => dialect.version === version);
  assert.ok(found);
  return found;
}

/** A call whose answer keeps every digit of its numbers: audit ids may be larger than a number can be. */
export async function sendExactly(baseUrl: string, path: string, request: AppRequest = {}): Promise<Answer> {
  const { method = request.json === undefined && request.body === undefined ? "GET" : "POST" } = request;
  const response = await fetch(`${baseUrl}/${path}`, {
    method,
    headers: { ...(request.json !== undefined && { "content-type": "application/json" }), ...request.headers },
    ...(request.json !== undefined && { body: JSON.stringify(request.json) }),
    ...(request.body !== undefined && { body: request.body }),
  });
  const text = await response.text();
  checkAnswer(method, `${baseUrl}/${path}`, { status: response.status, headers: response.headers, text });
  return { status: response.status, headers: response.headers, body: text === "" ? "" : parseJson(text) };
}
