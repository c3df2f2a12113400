import type { ContainerClient } from "@azure/storage-blob";
import * as z from "zod";
import { ApiError } from "../../errors.ts";
import { conditionShape } from "../../etag.ts";
import { imageTypes } from "../../liveness/images/inspect-image.ts";
import type { Clock } from "../../liveness/model/clock.ts";
import type {
  Conditions,
  ImageName,
  Images,
  ListedImage,
  NewImage,
  StoredImageFacts,
} from "../../liveness/model/images.ts";
import type { Page } from "../../liveness/model/page.ts";
import type { StorageConnection } from "../azure/connect.ts";
import { readFailure } from "../azure/storage-errors.ts";
import { readBody } from "./blob-body.ts";

export interface ImagesOptions {
  /** Time of a put. Default: the system's. */
  now?: Clock;
}

/** Reference images in Azure Blob Storage. What is known of an image is kept as the blob's metadata. */
export function createImages({ referenceImages }: StorageConnection, { now = Date.now }: ImagesOptions = {}): Images {
  return { put, get, facts, delete: remove, list, count, probe };

  async function put(
    name: ImageName,
    image: NewImage,
    conditions: Conditions = {},
  ): Promise<{ etag: string; created: boolean }> {
    const checked = checkConditions(conditions);
    if ((checked.ifNoneMatch ?? "*") !== "*") throw new ApiError(400, "BadArgument", "If-None-Match must be *.");
    const createdOn = new Date(now()).toISOString();
    if (checked.ifMatch !== undefined || checked.ifNoneMatch !== undefined) {
      const etag = await upload(name, image, createdOn, checked);
      if (etag === undefined) throw conditionNotMet();
      return { etag, created: checked.ifMatch === undefined };
    }
    // Blob Storage does not report whether a blob was replaced. Most are new, so that is tried first.
    const created = await upload(name, image, createdOn, { ifNoneMatch: "*" });
    if (created !== undefined) return { etag: created, created: true };
    const replaced = await upload(name, image, createdOn, {});
    if (replaced === undefined) throw conditionNotMet();
    return { etag: replaced, created: false };
  }

  /** The new ETag, or undefined where the conditions do not hold. */
  async function upload(
    name: ImageName,
    image: NewImage,
    createdOn: string,
    conditions: Conditions,
  ): Promise<string | undefined> {
    const { bytes } = image;
    const metadata = writeMetadata(image, createdOn);
    return referenceImages.call(async (container, abortSignal, repeated) => {
      const blob = container.getBlockBlobClient(name);
      try {
        const options = {
          abortSignal,
          conditions,
          metadata,
          blobHTTPHeaders: { blobContentType: image.facts.contentType },
        };
        return (await blob.upload(bytes, bytes.byteLength, options)).etag ?? "";
      } catch (error) {
        if (!conditionFailed(error)) throw error;
        if (!repeated) return undefined;
        // The first try may have been the one that was stored: then the blob bears the metadata that we sent.
        const stored = await propertiesOf(container, name, abortSignal);
        return stored !== undefined && sameMetadata(stored.metadata, metadata) ? stored.etag : undefined;
      }
    });
  }

  async function get(name: ImageName): Promise<{ bytes: Uint8Array; facts: StoredImageFacts } | undefined> {
    return referenceImages.call(async (container, abortSignal) => {
      try {
        const blob = await container.getBlobClient(name).download(0, undefined, { abortSignal, maxRetryRequests: 0 });
        const bytes = await readBody(blob.readableStreamBody);
        return { bytes, facts: readFacts(name, blob) };
      } catch (error) {
        if (readFailure(error)?.code === "BlobNotFound") return undefined;
        throw error;
      }
    });
  }

  async function facts(name: ImageName): Promise<StoredImageFacts | undefined> {
    const properties = await referenceImages.call((container, abortSignal) =>
      propertiesOf(container, name, abortSignal),
    );
    return properties && readFacts(name, properties);
  }

  async function remove(name: ImageName, conditions: Conditions = {}): Promise<boolean> {
    const checked = checkConditions(conditions);
    return referenceImages.call(async (container, abortSignal, repeated) => {
      try {
        await container.getBlobClient(name).delete({ abortSignal, conditions: checked });
        return true;
      } catch (error) {
        // Gone after a lost answer: that was us.
        if (repeated && conditionFailed(error) && !(await propertiesOf(container, name, abortSignal))) return true;
        // Azure and Azurite do not agree on which it is, where a blob that must match is missing.
        if (readFailure(error)?.code === "BlobNotFound" && checked.ifMatch === undefined) return false;
        if (conditionFailed(error)) throw conditionNotMet();
        throw error;
      }
    });
  }

  function list(prefix: string, continuationToken?: string): Promise<Page<ListedImage>> {
    return referenceImages.call(async (container, abortSignal) => {
      const settings = { maxPageSize: listPageSize, ...(continuationToken !== undefined && { continuationToken }) };
      const pages = container.listBlobsFlat({ prefix, includeMetadata: true, abortSignal }).byPage(settings);
      const { value } = await pages.next();
      const items: Blob[] = value?.segment.blobItems ?? [];
      const next: string | undefined = value?.continuationToken;
      return { items: items.flatMap(readListed), ...(next && { continuationToken: next }) };
    });
  }

  function count(folder: string, upTo: number): Promise<number> {
    return referenceImages.call(async (container, abortSignal) => {
      let found = 0;
      // A page may have fewer images than it could, with others after it.
      for await (const { segment } of container
        .listBlobsFlat({ prefix: folder, abortSignal })
        .byPage({ maxPageSize: upTo })) {
        found += segment.blobItems.length;
        if (found >= upTo) return upTo;
      }
      return found;
    });
  }

  async function probe(): Promise<void> {
    await facts("held/probe");
  }
}

/** Images that are listed with one request. */
const listPageSize = 1000;

/** A blob in a list. */
interface Blob {
  name: string;
  properties: { etag: string; createdOn?: Date; lastModified: Date };
  metadata?: Record<string, string>;
}

/** Empty for other blobs. An image that was not stored by this app has only the times of the storage service. */
function readListed({ name, properties, metadata }: Blob): ListedImage[] {
  if (!isImageName(name)) return [];
  const { createdon, device } = metadataSchema.partial().safeParse(metadata ?? {}).data ?? {};
  const createdOn = createdon ?? (properties.createdOn ?? properties.lastModified).toISOString();
  // In a list, Azure leaves the quotes out.
  const etag = properties.etag.startsWith('"') ? properties.etag : `"${properties.etag}"`;
  return [{ name, createdOn, etag, ...(device !== undefined && { deviceCorrelationId: decodeURIComponent(device) }) }];
}

function isImageName(name: string): name is ImageName {
  return /^(held|held-by\/[^/]+|sessions)\//.test(name);
}

async function propertiesOf(container: ContainerClient, name: ImageName, abortSignal: AbortSignal) {
  try {
    return await container.getBlobClient(name).getProperties({ abortSignal });
  } catch (error) {
    if (readFailure(error)?.code === "BlobNotFound") return undefined;
    throw error;
  }
}

const metadataSchema = z.object({
  sha256: z.string(),
  type: z.enum(imageTypes),
  width: z.coerce.number().int(),
  height: z.coerce.number().int(),
  createdon: z.string(),
  device: z.string().optional(),
  owner: z.string().optional(),
});

/** Metadata travels in headers, so whatever an app may have chosen is percent-encoded. */
function writeMetadata({ facts, deviceCorrelationId, owner }: NewImage, createdOn: string): Record<string, string> {
  return {
    sha256: facts.sha256,
    type: facts.contentType,
    width: String(facts.width),
    height: String(facts.height),
    createdon: createdOn,
    ...(deviceCorrelationId !== undefined && { device: encodeURIComponent(deviceCorrelationId) }),
    ...(owner !== undefined && { owner: encodeURIComponent(owner) }),
  };
}

interface BlobProperties {
  metadata?: Record<string, string>;
  etag?: string;
  contentLength?: number;
}

function readFacts(name: ImageName, { metadata, etag, contentLength }: BlobProperties): StoredImageFacts {
  const parsed = metadataSchema.safeParse(metadata);
  if (!parsed.success || etag === undefined || contentLength === undefined) {
    throw new Error(`The blob ${name} has not the metadata of a reference image`, { cause: parsed.error });
  }
  const { device, owner, type, createdon, ...facts } = parsed.data;
  return {
    ...facts,
    contentType: type,
    createdOn: createdon,
    etag,
    sizeInBytes: contentLength,
    ...(device !== undefined && { deviceCorrelationId: decodeURIComponent(device) }),
    ...(owner !== undefined && { owner: decodeURIComponent(owner) }),
  };
}

function sameMetadata(stored: Record<string, string> | undefined, sent: Record<string, string>): boolean {
  return Object.entries(sent).every(([name, value]) => stored?.[name] === value);
}

/** One ETag or `*` each: more than that the service cannot check. Throws `ApiError` 400. */
function checkConditions({ ifMatch, ifNoneMatch }: Conditions): Conditions {
  return {
    ...(ifMatch !== undefined && { ifMatch: checkTag("If-Match", ifMatch) }),
    ...(ifNoneMatch !== undefined && { ifNoneMatch: checkTag("If-None-Match", ifNoneMatch) }),
  };
}

function checkTag(header: string, value: string): string {
  const tag = value.trim();
  if (conditionShape.test(tag)) return tag;
  throw new ApiError(400, "BadArgument", `${header} must be one quoted ETag, or *.`);
}

/** A missing blob answers 404 to `If-Match` in some places, and an existing one 409 to `If-None-Match: *`. */
function conditionFailed(error: unknown): boolean {
  const failure = readFailure(error);
  return failure?.status === 412 || failure?.code === "BlobAlreadyExists" || failure?.code === "BlobNotFound";
}

function conditionNotMet(): ApiError {
  return new ApiError(412, "ConditionNotMet", "The condition specified in the request's headers is not met.");
}
