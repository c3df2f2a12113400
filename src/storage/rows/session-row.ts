import type { TableEntity } from "@azure/data-tables";
import * as z from "zod";
import { apiVersions, sessionKinds, type VerifyReference } from "../../face/model.ts";
import { services } from "../../liveness/model/caller.ts";
import { decisions, type SessionRecord, type StoredSession } from "../../liveness/model/session.ts";
import type { Entity } from "../azure/table.ts";
import { isSessionPartition } from "./keys.ts";
import { json, readRow, wholeNumber, writeRow } from "./row.ts";

const text = z.string();

const verifyReference: z.ZodType<VerifyReference> = z.looseObject({
  faceRectangle: z.looseObject({ top: z.number(), left: z.number(), width: z.number(), height: z.number() }),
  qualityForRecognition: text,
});

/** Every field of a record by its name: one that is missing here does not compile. */
const fields = {
  creationId: text,
  sessionId: text,
  kind: z.enum(sessionKinds),
  deviceCorrelationId: text.exactOptional(),
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
} satisfies Record<keyof SessionRecord, z.ZodType>;

const schema: z.ZodType<SessionRecord> = z.object(fields);

export function writeSession(partition: string, row: string, record: SessionRecord): TableEntity {
  return writeRow(partition, row, record);
}

/** Throws where the row does not hold a session. */
export function readSession(entity: Entity): StoredSession {
  const { partitionKey: partition, rowKey: row, etag } = entity;
  const record = readRow(schema, entity);
  return { record, partition, row, etag, ...movingOf(partition, record) };
}

/** Whether a session is not, or not wholly, where its device's are. */
export function movingOf(
  partition: string,
  record: { deviceCorrelationId?: string | undefined; movedFrom?: string | undefined },
): Pick<StoredSession, "isMoving"> {
  const isNamed = isSessionPartition(partition) && record.deviceCorrelationId !== undefined;
  return isNamed || record.movedFrom !== undefined ? { isMoving: true } : {};
}
