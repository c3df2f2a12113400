import * as z from "zod";
import { compact } from "./compact.ts";
import { eventGridName, type WebhookEndpoint } from "./events/webhook-endpoint.ts";
import { jsonText } from "./json-text.ts";
import { eventTypes } from "./liveness/model/events.ts";

/** Schemas of app settings. `meta().accepts` is the range in the documents' tables. */

/** A blank app setting counts as not set. */
export const emptyIsUnset = (value: unknown) => (typeof value === "string" && value.trim() === "" ? undefined : value);

/** An optional app setting. */
export function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess(emptyIsUnset, schema.optional());
}

/** An app setting with a default. */
export function orDefault<T extends z.ZodType>(schema: T, byDefault: z.output<T>) {
  return optional(schema).transform((value): z.output<T> => value ?? byDefault);
}

/** A boolean, in the spellings of zod's `stringbool`. */
export function flag(byDefault: boolean) {
  return orDefault(z.stringbool("must be true or false"), byDefault).meta({ accepts: "`true`, `false`" });
}

/** A whole number between `min` and `max`, both included. */
export function integerOr(byDefault: number, min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  const range = z.number().min(min, message).max(max, message);
  const schema = z.string().regex(/^\d+$/, message).transform(Number).pipe(range);
  return orDefault(schema, byDefault).meta({ accepts: `${min}–${max}` });
}

const fraction = z
  .string()
  .regex(/^(0(\.\d+)?|1(\.0+)?)$/, "must be a number from 0 to 1")
  .transform(Number);

/** A number from 0 to 1, both included. */
export function fractionOr(byDefault: number) {
  return orDefault(fraction, byDefault).meta({ accepts: "0–1" });
}

/** A secret of `min` to `max` characters, both included. */
export function secret(min: number, max: number) {
  const message = `must have ${min} to ${max} characters`;
  return optional(z.string().min(min, message).max(max, message)).meta({ accepts: `${min}–${max} characters` });
}

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/;

function isHttpsOrLoopback(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || loopback.test(hostname);
}

/** Without a trailing slash. */
export const serviceUri = z
  .url({ protocol: /^https?$/, error: "must be an http(s) URL" })
  .transform((url) => url.replace(/\/+$/, ""));

/** Without a trailing slash; plain http on this machine only. */
export const faceEndpoint = z
  .url({ protocol: /^https?$/, error: "must be the URL of a Face resource", abort: true })
  .refine(isHttpsOrLoopback, "must be https")
  .transform((url) => url.replace(/\/+$/, ""));

const clientKeysShape = "must be JSON: client name → list of SHA-256 hex digests";
const keyDigests = "must be SHA-256 digests of keys, 64 hex digits each";

/** Client name → lower-case SHA-256 hex digests of its keys. */
export const clientKeys = jsonText(
  z.record(
    z.string().min(1).max(128),
    z
      .array(
        z
          .string(keyDigests)
          .regex(/^[0-9a-fA-F]{64}$/, keyDigests)
          .toLowerCase(),
        clientKeysShape,
      )
      .min(1, "each client needs at least one digest"),
    clientKeysShape,
  ),
  clientKeysShape,
);

const endpointsShape = "must be JSON: a list of at most 10 endpoints with name, url, secrets and optionally types";
const endpointNames = "names must have 1 to 64 letters, digits, hyphens and underscores, be unique, and not event-grid";
const endpointUrls = "URLs must be https, or http to this machine";
const endpointSecrets = "each endpoint needs one or two secrets: whsec_ and 24 to 64 bytes in base64";
const endpointTypes = `types must be some of ${eventTypes.join(", ")}`;

const webhookSecret = z.string(endpointSecrets).refine((text) => {
  const encoded = /^whsec_(.+)$/.exec(text)?.[1] ?? "";
  const bytes = Buffer.from(encoded, "base64");
  return bytes.toString("base64") === encoded && bytes.length >= 24 && bytes.length <= 64;
}, endpointSecrets);

const webhookEndpoint = z.strictObject(
  {
    name: z.string(endpointNames).regex(/^[A-Za-z0-9_-]{1,64}$/, endpointNames),
    url: z.url({ protocol: /^https?$/, error: endpointUrls, abort: true }).refine(isHttpsOrLoopback, endpointUrls),
    secrets: z.array(webhookSecret, endpointSecrets).min(1, endpointSecrets).max(2, endpointSecrets),
    types: z.array(z.enum(eventTypes, endpointTypes), endpointTypes).min(1, endpointTypes).optional(),
  },
  endpointsShape,
);

/** Receivers of webhooks. */
export const webhookEndpoints = jsonText(
  z
    .array(webhookEndpoint, endpointsShape)
    .max(10, endpointsShape)
    .refine((list) => {
      const names = new Set(list.map(({ name }) => name));
      return names.size === list.length && !names.has(eventGridName);
    }, endpointNames)
    .transform((list): WebhookEndpoint[] => list.map(compact)),
  endpointsShape,
);

/** Endpoint of an Event Grid topic. */
export const topicEndpoint = z.url({ protocol: /^https$/, error: "must be the https URL of an Event Grid topic" });
