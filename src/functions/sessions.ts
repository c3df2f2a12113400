import * as z from "zod";
import { invalidRequestBody } from "../api-errors.ts";
import { maxDetails } from "../errors.ts";
import { boundedText, deviceId } from "../face/versions/request-fields.ts";
import { type BodySource, readBytes, readRequestBody } from "../http/body.ts";
import { defineEndpoint, type Endpoint, noQuery } from "../http/endpoint.ts";
import { findSession } from "../liveness/result/get-session.ts";
import { readStoredEntries } from "../liveness/result/history.ts";
import { settleSession } from "../liveness/result/settle-session.ts";
import { auditEntryResource, auditEntryShape, sessionResource, sessionResourceShape } from "./session-resource.ts";

const sessionParams = z.object({ sessionId: z.string() });

/** What an app tells when it settles a session; all of it is optional. */
export const settleBody = z
  .strictObject({
    digest: boundedText(512).optional().describe("What the device's SDK computed of the latest attempt."),
    deviceCorrelationId: deviceId.optional().describe("The device, where it was set in the client."),
    clientError: boundedText(256).optional().describe("Why the client could not go on."),
  })
  .meta({ id: "SettleRequest" });

/** Sessions as we keep them, long after the service has forgotten them. */
export const sessionEndpoints: Endpoint[] = [
  defineEndpoint({
    name: "getSession",
    summary: "Read a session and its outcome from the store",
    methods: ["GET"],
    route: "api/sessions/{sessionId}",
    access: "callers",
    params: sessionParams,
    query: noQuery,
    describe: () => ({
      answers: { 200: { description: "The session.", json: sessionResourceShape } },
      errors: { 404: ["SessionNotFound"] },
    }),
    async handle(app, { params, caller }) {
      const { record } = await findSession(app, caller, params.sessionId);
      return { status: 200, json: sessionResource(record, caller) };
    },
  }),
  defineEndpoint({
    name: "settleSession",
    summary: "Fetch a session's result, check it, decide and record the outcome",
    methods: ["POST"],
    route: "api/sessions/{sessionId}/settle",
    access: "callers",
    params: sessionParams,
    query: noQuery,
    describe: () => ({
      body: { required: false, content: { "application/json": settleBody } },
      answers: { 200: { description: "The session.", json: sessionResourceShape } },
      errors: { 404: ["SessionNotFound"], 409: ["SessionNotFinished", "DeviceMismatch"] },
      asksFace: true,
    }),
    async handle(app, { params, caller, ...request }) {
      const told = parseTold(await readTold(request));
      const record = await settleSession(app, caller, params.sessionId, told);
      return { status: 200, json: sessionResource(record, caller) };
    },
  }),
  defineEndpoint({
    name: "listAuditEntries",
    summary: "List a session's stored audit entries, the same for every version of the service",
    methods: ["GET"],
    route: "api/sessions/{sessionId}/audit-entries",
    access: "callers",
    params: sessionParams,
    query: noQuery,
    describe: () => ({
      answers: {
        200: {
          description: "All entries of the session, ascending.",
          json: z.object({ value: z.array(auditEntryShape()) }),
        },
      },
      errors: { 404: ["SessionNotFound"] },
    }),
    async handle(app, { params, caller }) {
      const entries = await readStoredEntries(app, caller, params.sessionId);
      return { status: 200, json: { value: entries.map(auditEntryResource) } };
    },
  }),
];

/** Bytes of a body that nobody has said the type of: enough to tell it from none. */
const untypedLimit = 64 * 1024;

/** All that could be told is optional, and so is the body. */
async function readTold(request: BodySource): Promise<unknown> {
  const isSilent = !request.headers.has("content-type") && (await readBytes(request, untypedLimit)).byteLength === 0;
  if (isSilent) return {};
  const body = await readRequestBody(request, ["json"]);
  return body.type === "json" ? body.value : undefined;
}

function parseTold(body: unknown) {
  const parsed = settleBody.safeParse(body);
  if (!parsed.success) {
    throw invalidRequestBody(
      parsed.error.issues.flatMap((issue) =>
        issue.code === "unrecognized_keys"
          ? issue.keys
              .slice(0, maxDetails)
              .map((target) => ({ code: "UnknownField", message: "There is no such field.", target }))
          : [{ code: "InvalidValue", message: issue.message, target: issue.path.join(".") || "body" }],
      ),
    );
  }
  const { digest, deviceCorrelationId, clientError } = parsed.data;
  return {
    ...(digest !== undefined && { digest }),
    ...(deviceCorrelationId !== undefined && { deviceCorrelationId }),
    ...(clientError !== undefined && { clientError }),
  };
}
