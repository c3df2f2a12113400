import * as z from "zod";
import { ApiError } from "../errors.ts";
import { referenceId } from "../face/request-fields.ts";
import { readBytes } from "../http/body.ts";
import { defineEndpoint, type Endpoint, noQuery, resourceNotFound } from "../http/endpoint.ts";
import { type Caller, mayUse } from "../liveness/access.ts";
import { imageLimits, imageTypes, inspectImage } from "../liveness/image.ts";
import type { Conditions, ImageName, NewImage, StoredImageFacts } from "../liveness/ports.ts";
import { checkDeviceId, deviceId } from "./device-id.ts";
import {
  deleteConditions,
  etagHeader,
  type ImageMetadata,
  imageBody,
  type KeptImage,
  keptShape,
  metadataShape,
  putConditions,
  readConditions,
} from "./reference-image-shapes.ts";

const imageParams = z.object({ referenceImageId: referenceId });
const putQuery = z.object({
  deviceCorrelationId: deviceId.optional().describe("Binds the image to a device, whose erasure removes it."),
});

/** So much is read of a body that should be 6 MB at most: a somewhat larger image gets its own error. */
const bodyLimit = imageLimits.maxBytes + 2 * 1024 * 1024;

const route = "api/reference-images/{referenceImageId}";
const common = { access: "callers", params: imageParams, query: noQuery } as const;

/** Images that apps keep here, so that a session can be opened with an id in place of an upload. */
export const referenceImageEndpoints: Endpoint[] = [
  defineEndpoint({
    ...common,
    name: "putReferenceImage",
    summary: "Keep a reference image, or replace one",
    methods: ["PUT"],
    route,
    query: putQuery,
    describe: () => ({
      headers: putConditions(),
      body: imageBody(),
      answers: {
        200: {
          description: "The image took another's place.",
          headers: etagHeader(),
          json: keptShape,
        },
        201: { description: "The image is kept.", headers: etagHeader(), json: keptShape },
      },
      errors: {
        400: ["InvalidImage", "InvalidImageSize", "InvalidDeviceCorrelationId", "BadArgument", "InvalidRequestBody"],
        404: ["ResourceNotFound"],
        412: ["ConditionNotMet"],
        413: ["RequestBodyTooLarge"],
      },
    }),
    async handle(app, { params, query, caller, ...request }) {
      const { referenceImageId } = params;
      if (query.deviceCorrelationId !== undefined) checkDeviceId(query.deviceCorrelationId);
      const bytes = await readBytes(request, bodyLimit);
      const name: ImageName = `held/${referenceImageId}`;
      const existing = await app.images.facts(name);
      const conditions = combine(ownConditions(caller, existing), conditionsOf(request.headers));
      // Whose the image is, and which device's, stays with a new picture, unless another device is named.
      const device = query.deviceCorrelationId ?? existing?.deviceCorrelationId;
      const owner = existing?.owner ?? caller.owner;
      const image: NewImage = {
        bytes,
        facts: inspectImage(bytes),
        ...(device !== undefined && { deviceCorrelationId: device }),
        ...(owner !== undefined && { owner }),
      };
      // Noted before it is there, and once more in case that the note was removed meanwhile: an erasure must find it.
      if (device !== undefined) await app.devices.bindImage(device, referenceImageId);
      const { etag, created } = await app.images.put(name, image, conditions);
      if (device !== undefined) await app.devices.bindImage(device, referenceImageId);
      const kept: KeptImage = {
        referenceImageId,
        ...image.facts,
        ...(device !== undefined && { deviceCorrelationId: device }),
      };
      return { status: created ? 201 : 200, headers: { etag }, json: kept };
    },
  }),
  defineEndpoint({
    ...common,
    name: "getReferenceImage",
    summary: "Read a reference image's bytes",
    methods: ["GET"],
    route,
    describe: () => ({
      headers: readConditions(),
      answers: {
        200: { description: "The image's bytes.", headers: etagHeader(), bytes: imageTypes },
        304: { description: "The caller has them.", headers: etagHeader() },
      },
      errors: { 404: ["ResourceNotFound"] },
    }),
    async handle(app, { params, caller, headers }) {
      const found = await firstFound(params.referenceImageId, (name) => app.images.get(name));
      if (found === undefined || !mayUse(caller, found.facts)) throw resourceNotFound();
      const { etag, contentType } = found.facts;
      if (matches(headers.get("if-none-match"), etag)) return { status: 304, headers: { etag } };
      return { status: 200, bytes: found.bytes, headers: { etag, "content-type": contentType } };
    },
  }),
  defineEndpoint({
    ...common,
    name: "getReferenceImageMetadata",
    summary: "Read what is known of a reference image",
    methods: ["GET"],
    route: `${route}/metadata`,
    describe: () => ({
      answers: {
        200: {
          description: "What is known of the image.",
          headers: etagHeader(),
          json: metadataShape,
        },
      },
      errors: { 404: ["ResourceNotFound"] },
    }),
    async handle(app, { params, caller }) {
      const facts = await firstFound(params.referenceImageId, (name) => app.images.facts(name));
      if (facts === undefined || !mayUse(caller, facts)) throw resourceNotFound();
      return { status: 200, headers: { etag: facts.etag }, json: metadata(params.referenceImageId, facts) };
    },
  }),
  defineEndpoint({
    ...common,
    name: "deleteReferenceImage",
    summary: "Remove a reference image",
    methods: ["DELETE"],
    route,
    describe: () => ({
      headers: deleteConditions(),
      answers: { 204: { description: "The image is gone." } },
      errors: { 400: ["BadArgument"], 404: ["ResourceNotFound"], 412: ["ConditionNotMet"] },
    }),
    async handle(app, { params, caller, headers }) {
      const name: ImageName = `held/${params.referenceImageId}`;
      const existing = await app.images.facts(name);
      const conditions = combine(ownConditions(caller, existing), conditionsOf(headers));
      const device = existing?.deviceCorrelationId;
      // Who keeps another image meanwhile notes it after this, and that note stays.
      const note = device === undefined ? undefined : await app.devices.bindImage(device, params.referenceImageId);
      if (!(await app.images.delete(name, conditions))) throw resourceNotFound();
      if (device !== undefined && note !== undefined) {
        await app.devices.unbindImage(device, params.referenceImageId, note);
      }
      return { status: 204 };
    },
  }),
];

/** An image that came with a creation is read by the creation's id, as long as its session is kept. */
async function firstFound<T>(id: string, read: (name: ImageName) => Promise<T | undefined>): Promise<T | undefined> {
  return (await read(`held/${id}`)) ?? (z.uuid().safeParse(id).success ? read(`sessions/${id}`) : undefined);
}

/**
 * What keeps a principal from replacing or removing another's image, in between as well.
 *
 * @throws ApiError 404 where the image is another's.
 */
function ownConditions(caller: Caller, existing: StoredImageFacts | undefined): Conditions {
  if (caller.trusted) return {};
  if (existing === undefined) return { ifNoneMatch: "*" };
  if (!mayUse(caller, existing)) throw resourceNotFound();
  return { ifMatch: existing.etag };
}

function conditionsOf(headers: Headers): Conditions {
  const ifMatch = headers.get("if-match");
  const ifNoneMatch = headers.get("if-none-match");
  return { ...(ifMatch !== null && { ifMatch }), ...(ifNoneMatch !== null && { ifNoneMatch }) };
}

/**
 * What must hold for the caller and what it asked for, as one condition: storage takes no two.
 *
 * @throws ApiError 412 `ConditionNotMet` where both cannot hold.
 */
function combine(own: Conditions, asked: Conditions): Conditions {
  const tags = [own.ifMatch, asked.ifMatch].filter((tag) => tag !== undefined);
  const exact = tags.filter((tag) => tag !== "*");
  const ifMatch = exact[0] ?? tags[0];
  const ifNoneMatch = own.ifNoneMatch ?? asked.ifNoneMatch;
  if (ifMatch === undefined) return ifNoneMatch === undefined ? {} : { ifNoneMatch };
  if (exact.some((tag) => tag !== ifMatch) || ifNoneMatch === "*" || ifNoneMatch === ifMatch) {
    throw new ApiError(412, "ConditionNotMet", "The conditions in the request's headers are not met.");
  }
  return { ifMatch };
}

/** Whether `If-None-Match` names the ETag, so that the caller has the bytes already. */
function matches(ifNoneMatch: string | null, etag: string): boolean {
  const weak = (tag: string) => tag.trim().replace(/^W\//, "");
  const tags = ifNoneMatch === null ? [] : ifNoneMatch.split(",").map(weak);
  return tags.includes("*") || tags.includes(weak(etag));
}

function metadata(referenceImageId: string, facts: StoredImageFacts): ImageMetadata {
  const { sha256, contentType, width, height, sizeInBytes, createdOn, deviceCorrelationId } = facts;
  return {
    referenceImageId,
    sha256,
    contentType,
    width,
    height,
    sizeInBytes,
    createdOn,
    ...(deviceCorrelationId !== undefined && { deviceCorrelationId }),
  };
}
