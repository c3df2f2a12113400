import * as z from "zod";
import { serverBusy } from "../api-errors.ts";
import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";
import { referenceId } from "../face/versions/request-fields.ts";
import { readBytes } from "../http/body.ts";
import { defineEndpoint, type Endpoint, resourceNotFound } from "../http/endpoint.ts";
import { findImage } from "../liveness/images/find-image.ts";
import { imageLimits } from "../liveness/images/inspect-image.ts";
import { keepImage, type Refused, removeImage } from "../liveness/images/keep-image.ts";
import type { ImageFacts, Permits, StoredImageFacts } from "../liveness/model/images.ts";
import type { Version } from "../liveness/model/references.ts";
import { checkDeviceId, correlationId } from "./correlation-id.ts";

const imageParams = z.object({ referenceImageId: referenceId.describe("Id of the image, chosen by the caller.") });
const putQuery = z.object({
  deviceCorrelationId: correlationId.optional().describe("Binds the image to a device, whose erasure removes it."),
});

/** Above the limit of 6 MB, so that a slightly too large image is answered with `InvalidImageSize`. */
const bodyLimit = imageLimits.maxBytes + 2 * 1024 * 1024;

const route = "api/reference-images/{referenceImageId}";
const common = { access: "callers", params: imageParams } as const;

/** Stored reference images. A session can be created with the id of one in place of an upload. */
export const referenceImageEndpoints: Endpoint[] = [
  defineEndpoint({
    ...common,
    name: "putReferenceImage",
    summary: "Store or replace a reference image",
    methods: ["PUT"],
    route,
    query: putQuery,
    async handle(app, { params, query, caller, ...request }) {
      const { referenceImageId } = params;
      const { deviceCorrelationId } = query;
      if (deviceCorrelationId !== undefined) checkDeviceId(deviceCorrelationId);
      const permits = conditionsOf(request.headers);
      if (!request.headers.has("If-Match") && (conditionIn(request.headers, "If-None-Match") ?? "*") !== "*") {
        throw new ApiError(400, "BadArgument", "If-None-Match must be *.");
      }
      const bytes = await readBytes(request, bodyLimit);
      const image = compact({ referenceImageId, bytes, permits, deviceCorrelationId });
      const kept = await keepImage(app, caller, image);
      if ("refusal" in kept) throw refusals[kept.refusal]();
      const { version, created, facts, ...bound } = kept;
      const json: KeptImage = { referenceImageId, ...facts, ...bound };
      return { status: created ? 201 : 200, headers: { etag: etagOf(version) }, json };
    },
  }),
  defineEndpoint({
    ...common,
    name: "getReferenceImage",
    summary: "Read a reference image's bytes",
    methods: ["GET"],
    route,
    async handle(app, { params, caller, headers }) {
      const found = await findImage(app.images, caller, params.referenceImageId, app.images.get);
      if (found === undefined) throw resourceNotFound();
      const { version, contentType } = found.facts;
      const etag = etagOf(version);
      if (matches(headers.get("if-none-match"), etag)) return { status: 304, headers: { etag } };
      return { status: 200, bytes: found.bytes, headers: { etag, "content-type": contentType } };
    },
  }),
  defineEndpoint({
    ...common,
    name: "getReferenceImageMetadata",
    summary: "Read a reference image's metadata",
    methods: ["GET"],
    route: `${route}/metadata`,
    async handle(app, { params, caller }) {
      const facts = await findImage(app.images, caller, params.referenceImageId, app.images.facts);
      if (facts === undefined) throw resourceNotFound();
      return { status: 200, headers: { etag: etagOf(facts.version) }, json: metadata(params.referenceImageId, facts) };
    },
  }),
  defineEndpoint({
    ...common,
    name: "deleteReferenceImage",
    summary: "Delete a reference image",
    methods: ["DELETE"],
    route,
    async handle(app, { params, caller, headers }) {
      const { referenceImageId } = params;
      const removed = await removeImage(app, caller, { referenceImageId, permits: conditionsOf(headers) });
      if (typeof removed === "object") throw refusals[removed.refusal]();
      if (!removed) throw resourceNotFound();
      return { status: 204 };
    },
  }),
];

const refusals: Record<Refused["refusal"], () => ApiError> = {
  conditionNotMet: () => new ApiError(412, "ConditionNotMet", "The condition in the request's headers is not met."),
  tooManyImages: () =>
    new ApiError(
      429,
      "TooManyReferenceImages",
      "The user has reached the limit of reference images. Delete one first.",
    ),
  changedConcurrently: () => serverBusy("The image is being changed concurrently."),
};

/**
 * The conditions of a write, from the request's headers.
 *
 * @throws ApiError 400 `BadArgument` for a header that is neither one ETag nor `*`.
 */
function conditionsOf(headers: Headers): Permits {
  const ifMatch = conditionIn(headers, "If-Match");
  const ifNoneMatch = conditionIn(headers, "If-None-Match");
  return (version) => {
    const etag = version && etagOf(version);
    // RFC 9110: `If-Match` uses the strong comparison, `If-None-Match` the weak one.
    const isExpected = ifMatch === undefined || (etag !== undefined && (ifMatch === "*" || ifMatch === etag));
    return isExpected && !(ifNoneMatch !== undefined && etag !== undefined && matches(ifNoneMatch, etag));
  };
}

function conditionIn(headers: Headers, name: string): string | undefined {
  const condition = headers.get(name)?.trim();
  if (condition === undefined || conditionShape.test(condition)) return condition;
  throw new ApiError(400, "BadArgument", `${name} must be one quoted ETag or *.`);
}

/** An image's ETag is its version in quotes. */
function etagOf(version: Version): string {
  return `"${version}"`;
}

/** Whether `If-None-Match` contains the ETag, by the weak comparison. */
function matches(ifNoneMatch: string | null, etag: string): boolean {
  const tags = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes("*") || tags.includes(etag);
}

function metadata(referenceImageId: string, facts: StoredImageFacts): ImageMetadata {
  const { sha256, contentType, width, height, sizeInBytes, createdOn, deviceCorrelationId } = facts;
  return compact({
    referenceImageId,
    sha256,
    contentType,
    width,
    height,
    sizeInBytes,
    createdOn,
    deviceCorrelationId,
  });
}

/** Allowed values of `If-Match` and `If-None-Match`: `*`, or one ETag without a comma, which would begin another ETag. */
export const conditionShape = /^(\*|(W\/)?"[\x21\x23-\x2b\x2d-\x7e]*")$/;

export interface KeptImage extends ImageFacts {
  referenceImageId: string;
  /** The device to which the image is bound. */
  deviceCorrelationId?: string;
}

export interface ImageMetadata extends KeptImage {
  sizeInBytes: number;
  createdOn: string;
}
