import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { checkAnswer } from "./described-answers.ts";

/** What the tests need of a running stack. */
export interface RunningStack {
  url: string;
  emulator: { url: string; key: string };
}

export interface Answer {
  status: number;
  headers: Headers;
  /** The parsed body, or its text where it is not JSON. */
  body: unknown;
}

export interface AppRequest {
  method?: string;
  headers?: Record<string, string>;
  json?: unknown;
  body?: RequestInit["body"];
}

const errorShape = z.object({
  error: z.object({ code: z.string().min(1), message: z.string().min(1) }),
});

/** Calls any server: no answer is looked at. */
export function createClient(
  baseUrl: string,
  commonHeaders: Record<string, string> = {},
  check: typeof checkAnswer = () => undefined,
) {
  return async function send(path: string, { method, headers, json, body }: AppRequest = {}): Promise<Answer> {
    const sent = json === undefined ? body : JSON.stringify(json);
    const verb = method ?? (sent === undefined ? "GET" : "POST");
    const url = `${baseUrl}/${path}`;
    const response = await fetch(url, {
      method: verb,
      headers: { ...(json !== undefined && { "content-type": "application/json" }), ...commonHeaders, ...headers },
      ...(sent !== undefined && { body: sent }),
    });
    const text = await response.text();
    check(verb, url, { status: response.status, headers: response.headers, text });
    return { status: response.status, headers: response.headers, body: parse(text) };
  };
}

/** Calls a running app as any HTTP client would. Every answer is checked against the API's description. */
export function createAppClient(baseUrl: string, commonHeaders: Record<string, string> = {}) {
  const send = createClient(baseUrl, commonHeaders, checkAnswer);
  return {
    send,
    /** Opens a liveness session in v1.2, and expects that it works. */
    async openSession(deviceCorrelationId: string = randomUUID(), fields: Record<string, unknown> = {}) {
      const answer = await send("face/v1.2/detectLiveness-sessions", {
        json: { livenessOperationMode: "Passive", deviceCorrelationId, ...fields },
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return { ...z.object({ sessionId: z.string(), authToken: z.string() }).parse(answer.body), deviceCorrelationId };
    },
    async session(sessionId: string) {
      const answer = await send(`api/sessions/${sessionId}`);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return sessionResourceShape.parse(answer.body);
    },
    async outcomes(deviceCorrelationId: string, query = "") {
      const answer = await send(`api/devices/${encodeURIComponent(deviceCorrelationId)}/outcomes${query}`);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return z.object({ value: z.array(sessionResourceShape), nextLink: z.url().optional() }).parse(answer.body);
    },
  };
}

/** Plays the client device at the emulator. */
export async function playAttempt(
  emulator: RunningStack["emulator"],
  session: { sessionId: string; authToken: string },
  attempt: Record<string, unknown>,
): Promise<Answer> {
  return createClient(emulator.url)(`emulator/sessions/${session.sessionId}/attempts`, {
    json: attempt,
    headers: { authorization: `Bearer ${session.authToken}` },
  });
}

/** Calls one of the emulator's control routes, and expects that it works. */
export async function control(emulator: RunningStack["emulator"], path: string, json?: unknown, method?: string) {
  const answer = await createClient(emulator.url)(`emulator${path}`, {
    ...(json !== undefined && { json }),
    ...(method !== undefined && { method }),
  });
  assert.ok(answer.status < 300, JSON.stringify(answer.body));
  return answer.body;
}

/** Checks what every error has: its status, its code in body and header, a message. */
export function assertError(answer: Answer, status: number, code: string): void {
  const parsed = errorShape.safeParse(answer.body);
  assert.ok(parsed.success, `not an error: ${answer.status} ${JSON.stringify(answer.body)}`);
  assert.deepEqual([answer.status, parsed.data.error.code], [status, code], parsed.data.error.message);
  assert.equal(answer.headers.get("x-ms-error-code"), code);
  assert.equal(answer.headers.get("cache-control"), "no-store");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
