import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { inspect } from "node:util";
import { ApiError } from "../../../src/errors.ts";
import { createFaceService, type FaceServiceOptions, type SessionRef } from "../../../src/face/client/face-service.ts";
import type { ApiVersion, SessionKind, SessionRequest } from "../../../src/face/model.ts";
import { listenFor } from "./listen-for.ts";

interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  json?: unknown;
  body?: string | Uint8Array;
}

export type Handler = (received: Received, response: ServerResponse, count: number) => Reply | undefined;

export const key = "key-of-the-test";

/** A server that answers with the reply of `handle`, or with what `handle` itself writes, and a client of it. */
export async function startService(t: TestContext, handle: Handler, options: Partial<FaceServiceOptions> = {}) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url = "", headers } = request;
    const one = { method, url, headers, body: await buffer(request) };
    received.push(one);
    const reply = handle(one, response, received.length);
    if (reply === undefined) return;
    const body = reply.json === undefined ? reply.body : JSON.stringify(reply.json);
    response.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers });
    response.end(body);
  });
  const endpoint = `http://127.0.0.1:${await listenFor(t, server)}`;
  const face = createFaceService({ endpoint, apiVersion: "v1.2", credential: { key }, ...options });
  return { face, received, endpoint };
}

export function ref(kind: SessionKind, sessionId: string, upstreamVersion: ApiVersion = "v1.2"): SessionRef {
  return { kind, sessionId, upstreamVersion };
}

export const request: SessionRequest = {
  livenessOperationMode: "Passive",
  deviceCorrelationId: "a-device",
  deviceCorrelationIdSetInClient: false,
  userCorrelationId: "a-user",
  authTokenTimeToLiveInSeconds: 600,
};
export const token = "eyJhbGciOiJFUzI1NiIsIm";
export const created = { sessionId: "s-1", authToken: token, status: "NotStarted", results: { attempts: [] } };
export const notStarted = { sessionId: "s-1", status: "NotStarted", results: { attempts: [] } };
export const notFound = {
  status: 404,
  json: {
    error: {
      code: "SessionNotFound",
      message: "Session Id is not found. The session id is expired or does not exist.",
    },
  },
};

export async function failureOf(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => assert.fail("expected an ApiError, got an answer"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiError, inspect(error));
  return error;
}
