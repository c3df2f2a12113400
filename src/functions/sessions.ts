import * as z from "zod";
import { invalidRequestBody } from "../api-errors.ts";
import { compact } from "../compact.ts";
import { maxDetails } from "../errors.ts";
import { boundedText, deviceId } from "../face/versions/request-fields.ts";
import { type BodySource, readBytes, readRequestBody } from "../http/body.ts";
import { defineEndpoint, type Endpoint } from "../http/endpoint.ts";
import { findSession } from "../liveness/result/get-session.ts";
import { readStoredEntries } from "../liveness/result/history.ts";
import { settleSession } from "../liveness/result/settle-session.ts";
import { auditEntryResource, sessionResource } from "./session-resource.ts";

const sessionParams = z.object({ sessionId: z.string().describe("Id of the session at the Face service.") });

/** Facts that an app reports when it settles a session; all optional. */
export const settleBody = z
  .strictObject({
    digest: boundedText(512).optional().describe("The digest that the device's SDK computed for the latest attempt."),
    deviceCorrelationId: deviceId.optional().describe("The device, if it was set in the client."),
    clientError: boundedText(256).optional().describe("The error that stopped the client."),
  })
  .meta({ id: "SettleRequest" });

/** Stored sessions, available after the Face service has deleted them. */
export const sessionEndpoints: Endpoint[] = [
  defineEndpoint({
    name: "getSession",
    summary: "Read a stored session and its outcome",
    methods: ["GET"],
    route: "api/sessions/{sessionId}",
    access: "callers",
    params: sessionParams,
    async handle(app, { params, caller }) {
      const { record } = await findSession(app, caller, params.sessionId);
      return { status: 200, json: sessionResource(record, caller, app.now()) };
    },
  }),
  defineEndpoint({
    name: "settleSession",
    summary: "Fetch a session's result, check it, decide and record the outcome",
    methods: ["POST"],
    route: "api/sessions/{sessionId}/settle",
    access: "callers",
    params: sessionParams,
    async handle(app, { params, caller, ...request }) {
      const report = parseReport(await readReport(request));
      const record = await settleSession(app, caller, params.sessionId, report);
      return { status: 200, json: sessionResource(record, caller, app.now()) };
    },
  }),
  defineEndpoint({
    name: "listAuditEntries",
    summary: "List a session's stored audit entries, in one shape for all versions of the Face API",
    methods: ["GET"],
    route: "api/sessions/{sessionId}/audit-entries",
    access: "callers",
    params: sessionParams,
    async handle(app, { params, caller }) {
      const entries = await readStoredEntries(app, caller, params.sessionId);
      return { status: 200, json: { value: entries.toReversed().map(auditEntryResource) } };
    },
  }),
];

/** Limit of a body without a content type, which is read only to check that it is empty. */
const untypedLimit = 64 * 1024;

/** All fields are optional, and so is the body. */
async function readReport(request: BodySource): Promise<unknown> {
  const isEmpty = !request.headers.has("content-type") && (await readBytes(request, untypedLimit)).byteLength === 0;
  if (isEmpty) return {};
  const body = await readRequestBody(request, ["json"]);
  return body.type === "json" ? body.value : undefined;
}

function parseReport(body: unknown) {
  const parsed = settleBody.safeParse(body);
  if (!parsed.success) {
    throw invalidRequestBody(
      parsed.error.issues.flatMap((issue) =>
        issue.code === "unrecognized_keys"
          ? issue.keys
              .slice(0, maxDetails)
              .map((target) => ({ code: "UnknownField", message: "Unknown field.", target }))
          : [{ code: "InvalidValue", message: issue.message, target: issue.path.join(".") || "body" }],
      ),
    );
  }
  return compact(parsed.data);
}
