import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { makeImage } from "../../fixtures/images.ts";
import { operations } from "../../local/emulator/faults.ts";
import { checkAnswer } from "./described-answers.ts";

export const sessionsPath = "face/v1.2/detectLiveness-sessions";
export const verifySessionsPath = "face/v1.2/detectLivenessWithVerify-sessions";

/** The part of a running stack that the tests use. */
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
  error: z.object({
    code: z.string().min(1),
    message: z.string().min(1),
    statusCode: z.int().optional(),
    details: z.array(z.object({ code: z.string(), message: z.string().optional(), target: z.string() })).optional(),
  }),
});
export const openSessionShape = z.object({ sessionId: z.string(), authToken: z.string() });

/** The body of a creation without verify. */
export function creation(deviceCorrelationId: string = randomUUID(), fields: Record<string, unknown> = {}): AppRequest {
  return { json: { livenessOperationMode: "Passive", deviceCorrelationId, ...fields } };
}

/** The body of a v1.2 creation with an uploaded image. */
export function verifyCreation(
  deviceCorrelationId: string = randomUUID(),
  fields: Record<string, string> = {},
  image = makeImage(),
): AppRequest {
  const form = new FormData();
  for (const [name, value] of Object.entries({ livenessOperationMode: "Passive", deviceCorrelationId, ...fields })) {
    form.set(name, value);
  }
  form.set("verifyImage", new File([image], "me.jpg"));
  return { method: "POST", body: form };
}

/**
 * Calls any server. Default of `check`: no check of the answer against a description. `parseBody` throws where the body is
 * not JSON.
 */
export function createClient(
  baseUrl: string,
  commonHeaders: Record<string, string> = {},
  check: typeof checkAnswer = () => undefined,
  parseBody: (text: string) => unknown = JSON.parse,
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
    return { status: response.status, headers: response.headers, body: parse(text, parseBody) };
  };
}

/**
 * Calls a running app over HTTP. Every answer is checked against the API's description. All functions but `send` fail
 * unless the status is 200.
 */
export function createAppClient(baseUrl: string, commonHeaders: Record<string, string> = {}) {
  const send = createClient(baseUrl, commonHeaders, checkAnswer);
  const succeed = async (...request: Parameters<typeof send>) => {
    const answer = await send(...request);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer;
  };
  return {
    send,
    /** Opens a liveness session in v1.2. */
    async openSession(deviceCorrelationId: string = randomUUID(), fields: Record<string, unknown> = {}) {
      const { body } = await succeed(sessionsPath, creation(deviceCorrelationId, fields));
      return { ...openSessionShape.parse(body), deviceCorrelationId };
    },
    /** Opens a session with verify in v1.2 with an uploaded image. */
    async openVerify(...request: Parameters<typeof verifyCreation>) {
      const answer = await succeed(verifySessionsPath, verifyCreation(...request));
      const referenceImageId = answer.headers.get("x-reference-image-id") ?? assert.fail("no x-reference-image-id");
      return { ...openSessionShape.parse(answer.body), referenceImageId };
    },
    async settle(sessionId: string, json: unknown = {}) {
      return sessionResourceShape.parse((await succeed(`api/sessions/${sessionId}/settle`, { json })).body);
    },
    async session(sessionId: string) {
      return sessionResourceShape.parse((await succeed(`api/sessions/${sessionId}`)).body);
    },
    async outcomes(deviceCorrelationId: string, query = "") {
      const { body } = await succeed(`api/devices/${encodeURIComponent(deviceCorrelationId)}/outcomes${query}`);
      return z.object({ value: z.array(sessionResourceShape), nextLink: z.url().optional() }).parse(body);
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

/** The digest that a device receives with the answer to its attempt. */
export function digestOf({ body }: Answer): string {
  return z.object({ digest: z.string() }).parse(body).digest;
}

const emulatorStateShape = z.object({
  now: z.iso.datetime(),
  sessions: z.array(
    z.object({
      sessionId: z.string(),
      apiVersion: z.string(),
      kind: z.string(),
      userCorrelationId: z.string().optional(),
    }),
  ),
  calls: z.record(z.enum(operations), z.int()),
});

/** The clock, the live sessions and the calls by operation of the stack's emulator. */
export async function emulatorState({ emulator }: { emulator: RunningStack["emulator"] }) {
  return emulatorStateShape.parse(await control(emulator, "/state"));
}

/** Calls one of the emulator's control routes. Fails unless the status is below 300. */
export async function control(emulator: RunningStack["emulator"], path: string, json?: unknown, method?: string) {
  const answer = await createClient(emulator.url)(`emulator${path}`, {
    ...(json !== undefined && { json }),
    ...(method !== undefined && { method }),
  });
  assert.ok(answer.status < 300, JSON.stringify(answer.body));
  return answer.body;
}

/** The error in a body. Fails where the body has another shape. */
export function errorOf({ status, body }: Answer) {
  const parsed = errorShape.safeParse(body);
  assert.ok(parsed.success, `not an error: ${status} ${JSON.stringify(body)}`);
  return parsed.data.error;
}

/** Checks the parts of every error: status, code in body and header, message, no caching. */
export function assertError(answer: Answer, status: number, code: string): void {
  const error = errorOf(answer);
  assert.deepEqual([answer.status, error.code], [status, code], error.message);
  assert.equal(answer.headers.get("x-ms-error-code"), code);
  assert.equal(answer.headers.get("cache-control"), "no-store");
}

function parse(text: string, parseBody: (text: string) => unknown): unknown {
  try {
    return parseBody(text);
  } catch {
    return text;
  }
}
