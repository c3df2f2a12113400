import type { TableEntity } from "@azure/data-tables";
import * as z from "zod";
import { apiVersions, sessionKinds, type VerifyReference } from "../../face/model.ts";
import { services } from "../../liveness/model/caller.ts";
import { decisions, type SessionRecord, type StoredSession } from "../../liveness/model/session.ts";
import type { Entity } from "../azure/table.ts";
import { isSessionPartition } from "./keys.ts";
import { located, type RecordLocation } from "./references.ts";
import { json, readRow, wholeNumber, writeRow } from "./row.ts";

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
