import type { IncomingMessage } from "node:http";
import * as z from "zod";
import { sessionNotFound } from "../../../src/api-errors.ts";
import { compact } from "../../../src/compact.ts";
import { ApiError } from "../../../src/errors.ts";
import { attemptSchema, playAttempt } from "./attempts.ts";
import { faultSchema } from "./faults.ts";
import { bearerToken, headerOf, type Reply, readJson } from "./http.ts";
import { sessionStatus } from "./sessions.ts";
import type { EmulatorState } from "./state.ts";

const clockSchema = z.strictObject({
  advanceSeconds: z
    .number()
    .min(0)
    .max(10 * 366 * 86_400),
});
const settingsSchema = z.strictObject({ tokenInGet: z.boolean(), largeAuditIds: z.boolean() }).partial();

type Handle = (state: EmulatorState, request: IncomingMessage, requestId: string) => Promise<Reply> | Reply;

const handles: Record<string, Handle> = {
  "POST /emulator/clock": async (state, request) => {
    const { advanceSeconds } = await readJson(request, clockSchema);
    await state.clock.advance(advanceSeconds * 1000);
    return { status: 200, json: describeClock(state) };
  },
  "POST /emulator/faults": async ({ faults }, request) => {
    faults.add(await readJson(request, faultSchema));
    return { status: 200, json: { faults: faults.list() } };
  },
  "GET /emulator/faults": ({ faults }) => ({ status: 200, json: { faults: faults.list() } }),
  "DELETE /emulator/faults": ({ faults }) => {
    faults.clear();
    return { status: 204 };
  },
  "POST /emulator/settings": async ({ settings }, request) => {
    Object.assign(settings, await readJson(request, settingsSchema));
    return { status: 200, json: settings };
  },
  "GET /emulator/state": (state) => ({ status: 200, json: describeState(state) }),
  "DELETE /emulator": async (state) => {
    await state.reset();
    return { status: 204 };
  },
};

/** The answer to a request to a control route; undefined for other routes. */
export function handleControl(
  state: EmulatorState,
  request: IncomingMessage,
  path: string,
  requestId: string,
): Promise<Reply> | Reply | undefined {
  const handle = handles[`${request.method} ${path}`];
  if (handle !== undefined) return handle(state, request, requestId);
  const sessionId = /^\/emulator\/sessions\/([^/]+)\/attempts$/.exec(path)?.[1];
  if (sessionId !== undefined && request.method === "POST") return attempt(state, request, sessionId, requestId);
  return undefined;
}

/** Throws 401 without a valid token of this session, 404 where the session was deleted. */
async function attempt(
  state: EmulatorState,
  request: IncomingMessage,
  sessionId: string,
  requestId: string,
): Promise<Reply> {
  const token = bearerToken(request);
  const tokenSession = token === undefined ? undefined : await state.tokens.verify(token, state.clock.now());
  if (tokenSession !== sessionId) {
    throw new ApiError(401, "Unspecified", "Access denied due to invalid or expired session token.");
  }
  const played = await readJson(request, attemptSchema);
  const session = state.sessions.get(sessionId);
  if (session === undefined) throw sessionNotFound();
  const caller = {
    requestId,
    clientRequestId: headerOf(request, "client-request-id") ?? headerOf(request, "x-ms-client-request-id"),
    userAgent: request.headers["user-agent"],
    // Sockets for both families of addresses give IPv4 addresses a prefix.
    ip: request.socket.remoteAddress?.replace(/^::ffff:/, ""),
  };
  const answer = playAttempt(session, played, caller, state.clock.now(), state.nextAuditId);
  if (!("error" in answer)) return { status: 200, json: answer };
  const { code, message } = answer.error;
  const status = session.attempts.at(-1)?.audit?.statusCode ?? 400;
  return { status, headers: { "x-ms-error-code": code }, json: { error: { code, message } } };
}

function describeClock({ clock }: EmulatorState) {
  return { now: new Date(clock.now()).toISOString(), offsetMs: clock.offsetMs() };
}

function describeState(state: EmulatorState) {
  const now = state.clock.now();
  return {
    ...describeClock(state),
    settings: state.settings,
    resourceSettings: state.resource,
    calls: state.calls,
    faults: state.faults.list(),
    sessions: state.sessions.all().map((session) => ({
      sessionId: session.sessionId,
      kind: session.kind,
      apiVersion: session.version,
      ...compact({ deviceCorrelationId: session.deviceCorrelationId, userCorrelationId: session.userCorrelationId }),
      status: sessionStatus(session, now),
      attempts: session.attempts.length,
      createdOn: new Date(session.createdAt).toISOString(),
      tokenExpiresOn: new Date(session.tokenExpiresAt).toISOString(),
      expiresOn: new Date(session.expiresAt).toISOString(),
    })),
  };
}
