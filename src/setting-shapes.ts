import * as z from "zod";

/** Schemas of app settings. `meta().accepts` is the range in the documents' tables. */

/** A blank app setting counts as not set. */
export const emptyIsUnset = (value: unknown) => (typeof value === "string" && value.trim() === "" ? undefined : value);

/** An optional app setting. */
export function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess(emptyIsUnset, schema.optional());
}

/** A boolean, in the spellings of zod's `stringbool`. */
export function flag(byDefault: boolean) {
  const schema = z.preprocess(
    emptyIsUnset,
    z
      .stringbool("must be true or false")
      .optional()
      .transform((value) => value ?? byDefault),
  );
  return schema.meta({ accepts: "`true`, `false`" });
}

function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.string().regex(/^\d+$/, message).transform(Number).pipe(z.number().min(min, message).max(max, message));
}

/** A whole number between `min` and `max`, both included. */
export function integerOr(byDefault: number, min: number, max: number) {
  return optional(integer(min, max))
    .transform((value) => value ?? byDefault)
    .meta({ accepts: `${min}–${max}` });
}

const fraction = z
  .string()
  .regex(/^(0(\.\d+)?|1(\.0+)?)$/, "must be a number from 0 to 1")
  .transform(Number);

/** A number from 0 to 1, both included. */
export function fractionOr(byDefault: number) {
  return optional(fraction)
    .transform((value) => value ?? byDefault)
    .meta({ accepts: "0–1" });
}

/** A secret of `min` to `max` characters, both included. */
export function secret(min: number, max: number) {
  const message = `must have ${min} to ${max} characters`;
  return optional(z.string().min(min, message).max(max, message)).meta({ accepts: `${min}–${max} characters` });
}

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Without a trailing slash. */
export const serviceUri = z
  .url({ protocol: /^https?$/, error: "must be an http(s) URL" })
  .transform((url) => url.replace(/\/+$/, ""));

/** Without a trailing slash; plain http on this machine only. */
export const faceEndpoint = z
  .url({ protocol: /^https?$/, error: "must be the URL of a Face resource", abort: true })
  .refine((url) => new URL(url).protocol === "https:" || loopback.test(new URL(url).hostname), "must be https")
  .transform((url) => url.replace(/\/+$/, ""));

const clientKeysShape = "must be JSON: client name → list of SHA-256 hex digests";
const keyDigests = "must be SHA-256 digests of keys, 64 hex digits each";

/** Client name → SHA-256 hex digests of its keys. */
export const clientKeys = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: clientKeysShape });
      return z.NEVER;
    }
  })
  .pipe(
    z.record(
      z.string().min(1).max(128),
      z
        .array(z.string(keyDigests).regex(/^[0-9a-fA-F]{64}$/, keyDigests), clientKeysShape)
        .min(1, "each client needs at least one digest"),
      clientKeysShape,
    ),
  );
