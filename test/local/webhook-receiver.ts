import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { compact } from "../../src/compact.ts";
import { ApiError } from "../../src/errors.ts";
import { createFaults, faultFields, type Strike, timesOrRate } from "./emulator/faults.ts";
import {
  errorReply,
  headerOf,
  mediaType,
  parseJson,
  type Reply,
  readBody,
  readJson,
  writeReply,
} from "./emulator/http.ts";
import { requireLoopbackName } from "./loopback-names.ts";
import { listen } from "./ports.ts";
import { checkSignature, type SignatureCheck } from "./webhook-signature.ts";

/** A CloudEvent in structured JSON. */
const eventSchema = z.looseObject({
  specversion: z.literal("1.0"),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.string().min(1),
  time: z.iso.datetime(),
  subject: z.string().optional(),
  datacontenttype: z.literal("application/json"),
  data: z.looseObject({ decision: z.string().optional(), reasons: z.array(z.string()).optional() }),
});
export type ReceivedEvent = z.infer<typeof eventSchema>;

/** The body of `POST /faults`. */
const faultSchema = z
  .strictObject({
    ...faultFields,
    status: z.int().min(200).max(599).optional(),
    /** Value of `Location`, with status 307 unless another one is given. */
    redirectTo: z.url().max(2000).optional(),
  })
  .transform((fault) =>
    compact({ ...fault, status: fault.status ?? (fault.redirectTo === undefined ? undefined : 307) }),
  )
  .refine(...timesOrRate)
  .refine((fault) => fault.status === undefined || !fault.reset, "Give status or redirectTo, or reset, not both.")
  .refine(
    (fault) => fault.status !== undefined || fault.reset || fault.delayMs !== undefined,
    "Give at least one of status, redirectTo, reset and delayMs.",
  )
  .refine((fault) => fault.status !== undefined || fault.retryAfter === undefined, "retryAfter needs status.")
  .refine(
    ({ status = 0, redirectTo }) => redirectTo === undefined || (status >= 300 && status <= 399),
    "redirectTo needs a status from 300 to 399.",
  );
export type ReceiverFault = z.infer<typeof faultSchema>;

/** A webhook that was received, as `GET /received` returns it. */
export interface Received {
  /** `webhook-id`. */
  id?: string;
  /** RFC 3339, by the clock of the stack. */
  receivedOn: string;
  signature: SignatureCheck;
  /** Whether a webhook with this id and a valid signature was received before. */
  repeated: boolean;
  /** Status of the answer, which may reach the app later or never. */
  answer: number | "reset";
  /** Missing without a valid signature, or if the body is no CloudEvent. */
  event?: ReceivedEvent;
}

export interface ReceiverOptions {
  /** Default 0: any free one. */
  port?: number;
  /** Secrets of the endpoints, `whsec_…`. Default: a random one. */
  secrets?: readonly string[];
  /** Milliseconds since the epoch, by the app's clock. Default: the machine's time. */
  now?: () => number;
  /** Beyond this number of webhooks, the older half is dropped. Default: 10,000. */
  maxReceived?: number;
  /** Receives one line for each webhook. */
  onWebhook?: ((line: string) => void) | undefined;
}

export interface WebhookReceiver {
  /** Without a trailing slash. */
  url: string;
  /** `WEBHOOK_ENDPOINTS` with one endpoint, `local`: this receiver with the first of its secrets. */
  endpoints: string;
  /** The latest webhooks, in the order in which they arrived. */
  received(): readonly Received[];
  /** Closes all connections, also those in use. */
  close(): Promise<void>;
}

const maxBodyBytes = 64 * 1024;

/**
 * Starts a receiver of webhooks on 127.0.0.1. `POST /` receives one: 204 for a CloudEvent with a valid signature, 401 for any
 * other signature, 400 for any other body. Below `/received` and `/faults` are control routes. Rejects where the port is in
 * use.
 */
export async function startWebhookReceiver(options: ReceiverOptions = {}): Promise<WebhookReceiver> {
  const {
    secrets = [`whsec_${randomBytes(32).toString("base64")}`],
    now = Date.now,
    maxReceived = 10_000,
    onWebhook,
  } = options;
  const faults = createFaults<ReceiverFault>();
  const closing = new AbortController();
  let received: Received[] = [];
  let validIds = new Set<string>();

  async function receive(request: IncomingMessage): Promise<Reply | "reset"> {
    const strike = faults.strike(undefined);
    const { entry, refusal } = check(request, await readBody(request, maxBodyBytes));
    const reply = struck(strike) ?? refusal ?? { status: 204 };
    entry.answer = reply === "reset" ? "reset" : reply.status;
    received.push(entry);
    if (received.length > maxReceived) {
      received = received.slice(-Math.ceil(maxReceived / 2));
      validIds = new Set(received.flatMap(({ id, signature }) => (id && signature === "valid" ? [id] : [])));
    }
    onWebhook?.(describe(entry, strike.delayMs.before));
    if (strike.delayMs.before > 0) await sleep(strike.delayMs.before, undefined, { signal: closing.signal });
    return reply;
  }

  function check(request: IncomingMessage, body: Buffer): { entry: Received; refusal?: Reply } {
    const id = headerOf(request, "webhook-id");
    const timestamp = headerOf(request, "webhook-timestamp");
    const signed = { id, timestamp, signature: headerOf(request, "webhook-signature"), body };
    const signature = checkSignature(signed, secrets, now());
    const receivedOn = new Date(now()).toISOString();
    const entry = { ...compact({ id }), receivedOn, signature, repeated: false, answer: 0 };
    if (signature !== "valid" || id === undefined) {
      return { entry, refusal: errorReply(new ApiError(401, "InvalidSignature", `Signature: ${signature}.`)) };
    }
    const repeated = validIds.has(id);
    validIds.add(id);
    const json = mediaType(request) === "application/cloudevents+json" ? parseJson(body)?.value : undefined;
    const event = eventSchema.safeParse(json);
    if (event.success) return { entry: { ...entry, repeated, event: event.data } };
    const refusal = errorReply(new ApiError(400, "InvalidRequestBody", "The body is no CloudEvent in JSON."));
    return { entry: { ...entry, repeated }, refusal };
  }

  const routes: Record<string, (request: IncomingMessage) => Promise<Reply | "reset"> | Reply> = {
    "POST /": receive,
    "GET /received": () => ({ status: 200, json: { received } }),
    "DELETE /received": () => {
      received = [];
      validIds = new Set();
      return { status: 204 };
    },
    "POST /faults": async (request) => {
      faults.add(await readJson(request, faultSchema));
      return { status: 200, json: { faults: faults.list() } };
    },
    "GET /faults": () => ({ status: 200, json: { faults: faults.list() } }),
    "DELETE /faults": () => {
      faults.clear();
      return { status: 204 };
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      requireLoopbackName(request.headers);
      const route = routes[`${request.method} ${request.url}`];
      const reply = route ? await route(request) : errorReply(new ApiError(404, "NotFound", "No such route."));
      if (reply === "reset") request.socket.resetAndDestroy();
      else writeReply(response, reply);
    } catch (error) {
      // The client has disconnected, or the receiver is closing.
      if (closing.signal.aborted || request.socket.destroyed) return;
      const known = error instanceof ApiError ? error : new ApiError(500, "InternalServerError", String(error));
      writeReply(response, errorReply(known));
    }
  }

  const server = createServer((request, response) => void serve(request, response));
  server.keepAliveTimeout = 60_000;
  const port = await listen(server, options.port);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    endpoints: JSON.stringify([{ name: "local", url: `${url}/`, secrets: secrets.slice(0, 1) }]),
    received: () => received,
    close: () =>
      new Promise((resolve) => {
        closing.abort();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The answer of a fault, which replaces the receiver's own. */
function struck({ fault }: Strike<ReceiverFault>): Reply | "reset" | undefined {
  if (fault?.status === undefined) return fault && "reset";
  const { retryAfter, redirectTo: location } = fault;
  const headers = compact({ "retry-after": retryAfter === undefined ? undefined : String(retryAfter), location });
  return { status: fault.status, headers };
}

/** One line: type, id, decision, reasons, signature, answer. Nothing but the id is printed of an unverified webhook. */
function describe({ id = "(no id)", signature, repeated, answer, event }: Received, delayMs: number): string {
  const { decision, reasons = [] } = event?.data ?? {};
  const because = reasons.length > 0 ? ` (${reasons.join(", ")})` : "";
  return [
    `webhook ${event?.type ?? (signature === "valid" ? "that is no CloudEvent" : "from an unknown sender")}`,
    `${id.slice(0, 100)}${repeated ? " (repeated)" : ""}`,
    ...(decision === undefined ? [] : [`${decision}${because}`]),
    signature === "valid" ? "signature valid" : `signature not valid: ${signature}`,
    `answer ${answer}${delayMs > 0 ? ` after ${delayMs} ms` : ""}`,
  ].join(", ");
}

/** Secrets of the endpoints of `WEBHOOK_ENDPOINTS` that are on this port of this machine. Empty for an invalid setting. */
export function secretsFor(port: number, setting: string): string[] {
  const parsed = endpointsSchema.safeParse(parseJson(Buffer.from(setting))?.value);
  return (parsed.data ?? [])
    .filter(({ url }) => url.port === String(port) && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname))
    .flatMap(({ secrets }) => secrets);
}

const endpointsSchema = z.array(
  z.object({ url: z.url().transform((url) => new URL(url)), secrets: z.array(z.string()) }),
);
