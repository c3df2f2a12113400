import * as z from "zod";
import { ApiError } from "../errors.ts";
import { invalidDeviceCorrelationId } from "../face/errors.ts";
import { readBytes } from "../http/body.ts";
import { defineEndpoint, type Endpoint, noQuery, resourceNotFound } from "../http/endpoint.ts";
import { type Caller, mayUse } from "../liveness/access.ts";
import { imageLimits, inspectImage } from "../liveness/image.ts";
import type { Conditions, ImageName, ImageStore, NewImage, StoredImageFacts } from "../liveness/ports.ts";

const imageParams = z.object({ referenceImageId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) });
const putQuery = z.object({ deviceCorrelationId: z.string().optional() });

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
    async handle(app, { params, query, caller, ...request }) {
      const { referenceImageId } = params;
      const device = query.deviceCorrelationId;
      if (device !== undefined && (device.length < 1 || device.length > 64 || !device.isWellFormed())) {
        throw invalidDeviceCorrelationId();
      }
      const bytes = await readBytes(request, bodyLimit);
      const image: NewImage = {
        bytes,
        facts: inspectImage(bytes),
        ...(device !== undefined && { deviceCorrelationId: device }),
        ...(caller.owner !== undefined && { owner: caller.owner }),
      };
      const name: ImageName = `held/${referenceImageId}`;
      const conditions = combine(await ownConditions(app.images, caller, name), conditionsOf(request.headers));
      // Noted before it is there: an erasure of the device must find it.
      if (device !== undefined) await app.devices.bindImage(device, referenceImageId);
      const { etag, created } = await app.images.put(name, image, conditions);
      return {
        status: created ? 201 : 200,
        headers: { etag },
        json: { referenceImageId, ...image.facts, ...(device !== undefined && { deviceCorrelationId: device }) },
      };
    },
  }),
  defineEndpoint({
    ...common,
    name: "getReferenceImage",
    summary: "Read a reference image's bytes",
    methods: ["GET"],
    route,
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
    async handle(app, { params, caller, headers }) {
      const name: ImageName = `held/${params.referenceImageId}`;
      const conditions = combine(await ownConditions(app.images, caller, name), conditionsOf(headers));
      const device = (await app.images.facts(name))?.deviceCorrelationId;
      if (!(await app.images.delete(name, conditions))) throw resourceNotFound();
      if (device !== undefined) await app.devices.unbindImage(device, params.referenceImageId);
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
async function ownConditions(images: ImageStore, caller: Caller, name: ImageName): Promise<Conditions> {
  if (caller.trusted) return {};
  const existing = await images.facts(name);
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

function metadata(referenceImageId: string, facts: StoredImageFacts) {
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
