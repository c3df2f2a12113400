import * as z from "zod";
import { apiVersions, sessionKinds } from "../face/model.ts";
import type { SessionRecord } from "../liveness/session.ts";

/** A session as our own routes show it. Times are RFC 3339. */
export const sessionResourceShape = z.object({
  sessionId: z.string(),
  kind: z.enum(sessionKinds),
  deviceCorrelationId: z.string().optional(),
  clientReferenceId: z.string().optional(),
  apiVersion: z.enum(apiVersions),
  createdOn: z.iso.datetime(),
  tokenExpiresOn: z.iso.datetime(),
  expiresOn: z.iso.datetime(),
  status: z.string(),
  attempts: z.int().min(0),
  final: z.boolean(),
  decision: z.enum(["accepted", "rejected", "inconclusive"]).optional(),
  reasons: z.array(z.string()),
  referenceImageId: z.string().optional(),
});
export type SessionResource = z.infer<typeof sessionResourceShape>;

/** Shows of a record what the shape above names, and nothing else: how it is kept is nobody's business. */
export function sessionResource(record: SessionRecord): SessionResource {
  return sessionResourceShape.parse(record);
}
