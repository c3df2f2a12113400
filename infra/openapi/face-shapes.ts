import * as z from "zod";
import { type ApiVersion, hasLists, type SessionKind } from "../../src/face/model.ts";
import { requestFields } from "../../src/face/versions/codecs.ts";
import * as preview from "../../src/face/versions/previews.ts";
import { deviceId, imageIds, userCorrelationId } from "../../src/face/versions/request-fields.ts";
import * as stable from "../../src/face/versions/stable-shapes.ts";

/** Schemas of the bodies for sessions of one kind in a version. */
export interface WireShapes {
  /** Create request by media type; the parts of a form are properties. */
  create: { json: z.ZodType; multipart?: z.ZodType };
  created: z.ZodType;
  /** Without the token. */
  session: z.ZodType;
  list?: z.ZodType;
  auditEntries?: z.ZodType;
}

/** Each call creates new schemas. */
export function shapesOf(version: ApiVersion, kind: SessionKind): WireShapes {
  const fields = requestFields[version][kind];
  const rules = version === "v1.3-preview.1" ? [namesOneUser] : [];
  const responses = hasLists(version) ? previewResponses : stableResponses(version);
  if (kind === "liveness") {
    const json = z.strictObject(fields).meta(requestMeta(version, "CreateLivenessRequest", ...rules));
    return { create: { json }, ...responses };
  }
  const images = atMostOne(...Object.keys(imageIds));
  const json = z
    .strictObject({ ...fields, ...imageIds })
    .meta(requestMeta(version, "CreateLivenessWithVerifyRequest", ...rules, images));
  const multipart = hasLists(version) ? previewForm(version, fields) : stableForm(version, fields, rules);
  return { create: { json, multipart }, ...responses };
}

const imageFile = z.file().describe("A JPEG, PNG, GIF or BMP of 1 KB to 6 MB. The part needs a file name.").optional();

/** Additional fields are documented in one place only, although they may be in `Parameters` or in parts. */
function previewForm(version: ApiVersion, fields: z.ZodRawShape): z.ZodType {
  const { referenceImageId } = imageIds;
  const Parameters = z.strictObject(fields).meta(requestMeta(version, "CreateLivenessWithVerifyParameters"));
  return z
    .strictObject({ Parameters, VerifyImage: imageFile, referenceImageId })
    .meta({ oneOf: [{ required: ["VerifyImage"] }, { required: ["referenceImageId"] }] });
}

/** Every field is a part. Parts cannot be null. */
function stableForm(version: ApiVersion, fields: z.ZodRawShape, rules: readonly object[]): z.ZodType {
  const ids = { deviceCorrelationId: deviceCorrelationIdPart, userCorrelationId: userCorrelationId.optional() };
  const images = atMostOne("verifyImage", ...Object.keys(imageIds));
  return z
    .strictObject({ ...fields, ...imageIds, ...ids, verifyImage: imageFile })
    .meta(requestMeta(version, "CreateLivenessWithVerifyForm", ...rules, images));
}

const deviceCorrelationIdPart = deviceId
  .optional()
  .describe("The end user's device. Required unless deviceCorrelationIdSetInClient is true; then absent.");

/** The responses of both previews. */
const previewResponses = {
  created: preview.createdSession,
  session: preview.session.omit({ authToken: true }).meta({ id: "Session_preview" }),
  list: preview.sessionList,
  auditEntries: preview.auditEntryList,
};

/** The responses of a later version: v1.2 lacks the fields of abuse monitoring. */
function stableResponses(version: ApiVersion): { created: z.ZodType; session: z.ZodType } {
  const ofAttempt = { clientInformation: true, abuseMonitoringResult: true } as const;
  const ofSession = { isAbuseMonitoringEnabled: true, expectedClientIpAddress: true } as const;
  const isOlder = version === "v1.2";
  const results = z.looseObject({
    ...stable.resultsFields,
    attempts: z.array((isOlder ? stable.attempt.omit(ofAttempt) : stable.attempt).meta({ id: `Attempt_${version}` })),
  });
  const created = stable.createdSession.extend({ results: results.partial().nullish() });
  const read = stable.session.omit({ authToken: true }).extend({ results });
  return {
    created: (isOlder ? created.omit(ofSession) : created).meta({ id: `CreatedSession_${version}` }),
    session: (isOlder ? read.omit(ofSession) : read).meta({ id: `Session_${version}` }),
  };
}

/** `requireOne` as JSON Schema. */
function namesOne(name: string, titles: { named: string; inClient: string }): object {
  const flagName = `${name}SetInClient`;
  return {
    anyOf: [
      {
        title: titles.named,
        required: [name],
        properties: { [name]: { type: "string" }, [flagName]: { const: false } },
      },
      {
        title: titles.inClient,
        required: [flagName],
        properties: { [name]: { type: "null" }, [flagName]: { const: true } },
      },
    ],
  };
}

const namesOneDevice = namesOne("deviceCorrelationId", {
  named: "The request contains the device id",
  inClient: "The device sends its id",
});
const namesOneUser = namesOne("userCorrelationId", {
  named: "The request contains the user id",
  inClient: "The device sends the user id",
});

/** JSON Schema: an object has at most one of the properties. */
function atMostOne(...names: string[]): object {
  return { anyOf: names.map((kept) => ({ properties: absent(names.filter((name) => name !== kept)) })) };
}

function absent(names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, { not: {} }]));
}

/**
 * The schema's name in the OpenAPI document, and the rules between its fields as JSON Schema.
 *
 * @param rules JSON Schema, in addition to the rule for the device.
 */
function requestMeta(version: ApiVersion, name: string, ...rules: object[]): { id: string; allOf: object[] } {
  return { id: `${name}_${version}`, allOf: [namesOneDevice, ...rules] };
}
