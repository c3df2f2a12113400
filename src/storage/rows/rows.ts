import type { TableEntity } from "@azure/data-tables";
import * as z from "zod";
import { type Attempt, apiVersions, sessionKinds, type VerifyReference } from "../../face/model.ts";
import { services } from "../../liveness/model/caller.ts";
import type { CreationKey } from "../../liveness/model/creations.ts";
import type { Guard, GuardChange } from "../../liveness/model/guard.ts";
import type { Place } from "../../liveness/model/references.ts";
import type { ScheduleEntry, SettledSession } from "../../liveness/model/schedule.ts";
import { type AuditRecord, decisions, type SessionRecord, type StoredSession } from "../../liveness/model/session.ts";
import type { SessionPointer } from "../../liveness/model/sessions.ts";
import { keysOnly } from "../azure/query.ts";
import type { Entity } from "../azure/table.ts";
import {
  auditRow,
  bucketStart,
  expiryPartition,
  isSessionPartition,
  located,
  type RecordLocation,
  readPlace,
  recordKeys,
  sessionCreatedOn,
  writePlace,
} from "./keys.ts";
import { json, readRow, wholeNumber, writeRow } from "./row.ts";

/** Rows of all kinds: session, guard, creation key, pointer, due row and audit entry. */

const text = z.string();

const verifyReference: z.ZodType<VerifyReference> = z.looseObject({
  faceRectangle: z.looseObject({ top: z.number(), left: z.number(), width: z.number(), height: z.number() }),
  qualityForRecognition: text,
});

/** A row with a session's record, and the columns that only storage uses. */
export interface SessionRow
  extends SessionRecord,
    Pick<RecordLocation, "idempotencyRowKey" | "expiryPartition" | "keyPartition" | "movedFrom"> {}

/** All columns by name. The compiler rejects a missing one. */
const fields = {
  creationId: text,
  sessionId: text,
  kind: z.enum(sessionKinds),
  deviceCorrelationId: text.exactOptional(),
  userCorrelationId: text.exactOptional(),
  clientReferenceId: text.exactOptional(),
  apiVersion: z.enum(apiVersions),
  upstreamVersion: z.enum(apiVersions),
  createdOn: text,
  tokenExpiresOn: text,
  expiresOn: text,
  ttlSeconds: wholeNumber,
  startedOn: text.exactOptional(),
  status: text,
  attempts: wholeNumber,
  attemptsAllowed: wholeNumber.exactOptional(),
  expectedClientIpAddress: text.exactOptional(),
  final: z.boolean(),
  decision: z.enum(decisions).exactOptional(),
  reasons: json(z.array(text)),
  revokedOn: text.exactOptional(),
  settledOn: text.exactOptional(),
  revision: wholeNumber.exactOptional(),
  events: json(
    z.array(z.object({ id: text, occurredOn: text, place: text.transform((stored) => stored as Place) })),
  ).exactOptional(),
  referenceImageId: text.exactOptional(),
  referenceImageHash: text.exactOptional(),
  imageFromClient: z.boolean().exactOptional(),
  clientDigest: text.exactOptional(),
  clientError: text.exactOptional(),
  modelVersion: text.exactOptional(),
  verifyReferences: json(z.array(verifyReference)).exactOptional(),
  threshold: z.number().exactOptional(),
  clientName: text.exactOptional(),
  owner: text.exactOptional(),
  countedFor: text.default(services),
  idempotencyRowKey: text,
  keyPartition: text.exactOptional(),
  movedFrom: text.exactOptional(),
  expiryPartition: text,
} satisfies Record<keyof SessionRow, z.ZodType>;

const schema: z.ZodType<SessionRow> = z.object(fields);

export function writeSessionRow(partition: string, row: string, values: SessionRow): TableEntity {
  return writeRow(partition, row, values);
}

/** Throws if the row does not hold a session. */
export function readSessionRow(entity: Entity): SessionRow {
  return readRow(schema, entity);
}

export function writeSession(record: SessionRecord, location: Omit<RecordLocation, "etag">): TableEntity {
  const { partition, row, idempotencyRowKey, expiryPartition, keyPartition, movedFrom } = location;
  return writeSessionRow(partition, row, { ...record, idempotencyRowKey, expiryPartition, keyPartition, movedFrom });
}

/** Throws if the row does not hold a session. */
export function readSession(entity: Entity): StoredSession {
  const { idempotencyRowKey, expiryPartition, keyPartition, movedFrom, ...record } = readSessionRow(entity);
  const { partitionKey: partition, rowKey: row, etag } = entity;
  const location = { partition, row, etag, idempotencyRowKey, expiryPartition, keyPartition, movedFrom };
  const { deviceCorrelationId } = record;
  return { record, ...located(location), ...movingOf(partition, { deviceCorrelationId, movedFrom }) };
}

/** Whether the move of a session to its device's partition is still to be made or finished. */
export function movingOf(
  partition: string,
  record: { deviceCorrelationId?: string | undefined; movedFrom?: string | undefined },
): Pick<StoredSession, "isMoving"> {
  const isNamed = isSessionPartition(partition) && record.deviceCorrelationId !== undefined;
  return isNamed || record.movedFrom !== undefined ? { isMoving: true } : {};
}

// A guard that was created by an outcome has no `recent`.
const guardSchema: z.ZodType<Guard> = z.object({
  recent: json(z.array(text)).default([]),
  rejectionsInARow: wholeNumber,
  lockedUntil: text.exactOptional(),
  changedOn: text.default(new Date(0).toISOString()),
} satisfies Record<keyof Guard, z.ZodType>);

export const writeGuard = (partition: string, row: string, guard: Guard): TableEntity =>
  writeRow(partition, row, guard);
/** For a merge: the properties that an outcome changes. */
export const writeGuardChange = (partition: string, row: string, change: GuardChange): TableEntity =>
  writeRow(partition, row, change);
export const readGuard = (entity: Entity): Guard => readRow(guardSchema, entity);

const keySchema = z.object({
  creationId: text,
  bodyHash: text.exactOptional(),
  owner: text.exactOptional(),
  userCorrelationId: text.exactOptional(),
  createdOn: text.exactOptional(),
  countedFor: text.default(services),
  leaseUntil: text,
  sessionId: text.exactOptional(),
  replaces: text.exactOptional(),
  expiryPartition: text.exactOptional(),
} satisfies Record<Exclude<keyof CreationKey, "dueOn"> | "expiryPartition", z.ZodType>);

export function writeKey(partition: string, row: string, { dueOn, ...key }: CreationKey): TableEntity {
  return writeRow(partition, row, { ...key, expiryPartition: expiryPartition(key.creationId, dueOn) });
}

export function readKey(entity: Entity): CreationKey {
  const { expiryPartition, ...key } = readRow(keySchema, entity);
  return { ...key, dueOn: expiryPartition === undefined ? key.leaseUntil : bucketStart(expiryPartition) };
}

/** A row of `sessionids`: the location of a session, and the fields that the previews' list shows. */
export interface Pointer extends Omit<SessionPointer, "sessionId"> {
  partition: string;
  row: string;
  prunedOn?: string;
}

const listed = {
  kind: z.enum(sessionKinds),
  owner: text.exactOptional(),
  deviceCorrelationId: text.exactOptional(),
  createdOn: text,
  startedOn: text.exactOptional(),
  ttlSeconds: wholeNumber,
  prunedOn: text.exactOptional(),
} satisfies Record<Exclude<keyof Pointer, "partition" | "row">, z.ZodType>;

const listedSchema = z.object(listed);
const pointerSchema: z.ZodType<Pointer> = z.object({ ...listed, partition: text, row: text });

/** The properties of a pointer that a list reads. */
export const listedProperties = [...keysOnly, ...Object.keys(listed)];

/** Writes a pointer, with the property `listed`, by which the filter of a list skips pruned sessions. */
export function writePointer(partition: string, row: string, record: SessionRecord): TableEntity {
  const { sessionId, kind, owner, deviceCorrelationId, createdOn, startedOn, ttlSeconds } = record;
  const values = { kind, owner, deviceCorrelationId, createdOn, startedOn, ttlSeconds };
  return writeRow(sessionId, sessionId, { partition, row, ...values, listed: true });
}

/** For a merge: the properties of a pointer that pruning changes. */
export function prunedPointer(sessionId: string, prunedOn: string): TableEntity {
  return writeRow(sessionId, sessionId, { prunedOn, listed: false });
}

export const readPointer = (entity: Entity): Pointer => readRow(pointerSchema, entity);

/** Undefined for a session that was pruned. */
export function readListed(entity: Entity): SessionPointer | undefined {
  const { prunedOn, ...pointer } = readRow(listedSchema, entity);
  return prunedOn === undefined ? { sessionId: entity.partitionKey, ...pointer } : undefined;
}

export const settledSchema: z.ZodType<SettledSession> = z.object({
  sessionId: text,
  kind: z.enum(sessionKinds),
  upstreamVersion: z.enum(apiVersions),
  uploaded: z.boolean(),
  recorded: z.object({ attempts: z.int(), isComplete: z.boolean(), isFlagged: z.boolean() }).exactOptional(),
} satisfies Record<keyof SettledSession, z.ZodType>);

const dueSchema = z.object({
  phase: z.enum(["collect", "prune", "purge"]),
  dueOn: text.exactOptional(),
  session: json(settledSchema).exactOptional(),
  failures: wholeNumber.exactOptional(),
  userCorrelationId: text.exactOptional(),
  partition: text,
  row: text,
  idempotencyRowKey: text,
});

export function writeDue({ creationId, createdOn, place, ...due }: ScheduleEntry): TableEntity {
  const keys = { ...recordKeys({ creationId, createdOn, place }), ...readPlace(place) };
  return writeRow(expiryPartition(creationId, due.dueOn), creationId, { ...due, ...keys });
}

/** A row without a time is due from the beginning of its bucket. */
export function readDue(entity: Entity): ScheduleEntry {
  const { partition, row, idempotencyRowKey, ...values } = readRow(dueSchema, entity);
  const { dueOn = bucketStart(entity.partitionKey), ...due } = values;
  const place = writePlace({ partition, idempotencyRowKey });
  return { ...due, dueOn, creationId: entity.rowKey, createdOn: sessionCreatedOn(row), place };
}

const attemptSchema: z.ZodType<Attempt> = z.looseObject({ attemptId: z.int(), attemptStatus: text });

const auditSchema = z.object({
  sessionId: text,
  receivedOn: text.exactOptional(),
  entry: json(attemptSchema),
});

export function writeAuditEntry(partition: string, sessionRow: string, audit: AuditRecord): TableEntity {
  const { entryId, ...values } = audit;
  return writeRow(partition, auditRow(sessionRow, entryId), values);
}

export function readAuditEntry(entity: Entity): AuditRecord {
  const digits = entity.rowKey.slice(-19);
  return { entryId: String(BigInt(digits)), ...readRow(auditSchema, entity) };
}
