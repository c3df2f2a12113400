import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { TestContext } from "node:test";
import { type FaceEmulator, type FaceEmulatorOptions, startFaceEmulator } from "../../local/emulator/emulator.ts";

/** A request to the emulator. `json` sets body and media type; `headers` override all defaults. */
export interface Call {
  method?: string;
  headers?: Record<string, string>;
  json?: unknown;
  body?: string | Uint8Array | FormData;
}

/** An answer. `json` is undefined for other media types. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: unknown;
}

export interface StandIn extends FaceEmulator {
  /** Sends a request with the emulator's key. */
  face(path: string, call?: Call): Promise<Answer>;
  /** Sends a request without a key, as for control routes. */
  call(path: string, call?: Call): Promise<Answer>;
  /** Opens a session with a JSON body, by default for the device `a-device`. */
  open(path: string, fields?: object): Promise<OpenSession>;
  /** Plays an attempt of the session's device. */
  attempt(session: OpenSession, body: object): Promise<Answer>;
  advance(advanceSeconds: number): Promise<void>;
}

export interface OpenSession {
  sessionId: string;
  authToken: string;
}

/** Starts an emulator that closes after the test. */
export async function startStandIn(t: TestContext, options: FaceEmulatorOptions = {}): Promise<StandIn> {
  const emulator = await startFaceEmulator(options);
  t.after(() => emulator.close());

  async function call(path: string, { method, headers, json, body }: Call = {}): Promise<Answer> {
    const content = json === undefined ? body : JSON.stringify(json);
    const response = await fetch(`${emulator.url}${path}`, {
      method: method ?? (content === undefined ? "GET" : "POST"),
      headers: { ...(json === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(content === undefined ? {} : { body: content }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
  }

  const face = (path: string, { headers, ...rest }: Call = {}) =>
    call(path, { ...rest, headers: { "ocp-apim-subscription-key": emulator.key, ...headers } });

  return {
    ...emulator,
    call,
    face,
    async open(path, fields) {
      const json = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device", ...fields };
      const answer = await face(path, { json });
      assert.equal(answer.status, 200, answer.text);
      return asOpenSession(answer.json);
    },
    attempt: (session, json) =>
      call(`/emulator/sessions/${session.sessionId}/attempts`, {
        json,
        headers: { authorization: `Bearer ${session.authToken}` },
      }),
    async advance(advanceSeconds) {
      assert.equal((await call("/emulator/clock", { json: { advanceSeconds } })).status, 200);
    },
  };
}

export function asOpenSession(value: unknown): OpenSession {
  const { sessionId, authToken } = asRecord(value);
  assert.ok(typeof sessionId === "string" && typeof authToken === "string");
  return { sessionId, authToken };
}

export function asRecord(value: unknown): Record<string, unknown> {
  assert.ok(typeof value === "object" && value !== null && !Array.isArray(value));
  return { ...value };
}

/** The value at a path of keys; undefined where a key is missing. */
export function at(value: unknown, ...keys: (string | number)[]): unknown {
  let found = value;
  for (const key of keys) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Object.getOwnPropertyDescriptor(found, key)?.value;
  }
  return found;
}

/** Checks an error of the service: its code in body and header, and a request id. */
export function assertError(answer: Answer, status: number, code: string): void {
  assert.deepEqual(
    [answer.status, at(answer.json, "error", "code"), answer.headers.get("x-ms-error-code")],
    [status, code, code],
    answer.text,
  );
  assert.equal(typeof at(answer.json, "error", "message"), "string");
  assert.match(answer.headers.get("apim-request-id") ?? "", /^[0-9a-f-]{36}$/);
}

/** Bytes with the signature of the format. */
export function makeImage(format: "jpeg" | "png" | "gif" | "bmp" = "jpeg", size = 2048): Buffer {
  const beginnings = { jpeg: "ffd8ffe0", png: "89504e470d0a1a0a", gif: "474946383961", bmp: "424d" };
  return Buffer.concat([Buffer.from(beginnings[format], "hex"), Buffer.alloc(size, 7)], size);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").toUpperCase();
}

/** A form of v1.2: every field a part. */
export function flatForm(fields: Record<string, string>, image?: Uint8Array, filename = "face.jpg"): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  if (image !== undefined) form.append("verifyImage", new Blob([Buffer.from(image)]), filename);
  return form;
}

/** A form of the previews: the fields as one part of JSON. */
export function previewForm(fields: object, image?: Uint8Array): FormData {
  const form = new FormData();
  form.append("Parameters", JSON.stringify(fields));
  if (image !== undefined) form.append("VerifyImage", new Blob([Buffer.from(image)]), "face.jpg");
  return form;
}
