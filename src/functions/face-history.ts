import * as z from "zod";
import { type SessionKind, sessionKinds } from "../face/model.ts";
import { defineEndpoint, type Endpoint, pageSize } from "../http/endpoint.ts";
import { listSessions, readAuditTrail } from "../liveness/result/history.ts";
import { codecFor, operationOf, previews, sessionParams, versionParams } from "./dialects.ts";

/** Paging of the previews: `top` items after the id `start`. The bounds are those of the service. */
const pageQuery = z.object({
  start: z
    .string()
    .max(64, "must be at most 64 characters")
    .optional()
    .describe("The page begins after the item with this id. Default: the first item."),
  top: pageSize(1000, 1000),
});

/** Paging of attempts, whose ids are numbers. */
const attemptsQuery = pageQuery.extend({
  start: z
    .string()
    .regex(/^\d{0,19}$/, "must be the id of an audit entry")
    .default("")
    .describe("The page begins after the entry with this id. Default: the first entry."),
});

/** The previews' lists, read from the app's own tables, so that they work with every upstream version. */
export const faceHistoryEndpoints: Endpoint[] = sessionKinds.flatMap((kind) => [
  listFaceSessions(kind),
  listAudit(kind),
]);

function listFaceSessions(kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `get${operationOf[kind]}sPreview`,
    summary: `List the ${kind} sessions that the caller may see, ascending by id`,
    methods: ["GET"],
    route: previews.sessions(kind),
    versions: previews.versions,
    access: "callers",
    params: versionParams,
    query: pageQuery,
    async handle(app, { params, query, caller }) {
      const codec = codecFor(previews, params.apiVersion);
      const items = await listSessions(app, caller, kind, query);
      return { status: 200, json: codec.list?.encode(items) };
    },
  });
}

function listAudit(kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `get${operationOf[kind]}AuditEntriesPreview`,
    summary: `List the attempts of a ${kind} session`,
    methods: ["GET"],
    route: `${previews.sessions(kind)}/{sessionId}/audit`,
    versions: previews.versions,
    access: "callers",
    params: sessionParams,
    query: attemptsQuery,
    async handle(app, { params, query, caller }) {
      const codec = codecFor(previews, params.apiVersion);
      const { attempts, ...facts } = await readAuditTrail(app, caller, kind, params.sessionId, query);
      return { status: 200, json: codec.auditEntries?.encode(params.sessionId, attempts, facts) };
    },
  });
}
