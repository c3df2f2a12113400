import type { ContainerClient } from "@azure/storage-blob";
import * as z from "zod";
import { compact } from "../../compact.ts";
import { imageTypes } from "../../liveness/images/inspect-image.ts";
import type { Clock } from "../../liveness/model/clock.ts";
import type { ImageName, Images, ListedImage, NewImage, StoredImageFacts } from "../../liveness/model/images.ts";
import type { Page } from "../../liveness/model/page.ts";
import type { Version } from "../../liveness/model/references.ts";
import { downloadBlob } from "../azure/download-blob.ts";
import { readFailure } from "../azure/storage-errors.ts";
import type { StorageConnection } from "../azure/table.ts";

export interface ImagesOptions {
  /** Time of a put. Default: the system's. */
  now?: Clock;
}

/** Reference images in Azure Blob Storage. Facts about an image are stored as the blob's metadata. */
export function createImages({ referenceImages }: StorageConnection, { now = Date.now }: ImagesOptions = {}): Images {
  return { put, get, facts, delete: remove, list, count, probe };

  async function put(name: ImageName, image: NewImage, replaces?: Version | "none"): Promise<Version | undefined> {
    const { bytes } = image;
    const metadata = writeMetadata(image, new Date(now()).toISOString());
    const conditions = replaces === "none" ? { ifNoneMatch: "*" } : onlyVersion(replaces);
    return referenceImages.call(async (container, abortSignal, repeated) => {
      const blob = container.getBlockBlobClient(name);
      const blobHTTPHeaders = { blobContentType: image.facts.contentType };
      try {
        const options = { abortSignal, conditions, metadata, blobHTTPHeaders };
        return versionOf((await blob.upload(bytes, bytes.byteLength, options)).etag);
      } catch (error) {
        if (!conditionFailed(error)) throw error;
        if (!repeated) return undefined;
        // The first try may have stored the image although its response was lost: then the blob has this metadata.
        const stored = await propertiesOf(container, name, abortSignal);
        return stored !== undefined && sameMetadata(stored.metadata, metadata) ? versionOf(stored.etag) : undefined;
      }
    });
  }

  async function get(name: ImageName): Promise<{ bytes: Uint8Array; facts: StoredImageFacts } | undefined> {
    return referenceImages.call(async (container, abortSignal) => {
      const found = await downloadBlob(container, name, abortSignal);
      return found && { bytes: found.bytes, facts: readFacts(name, found.blob) };
    });
  }

  async function facts(name: ImageName): Promise<StoredImageFacts | undefined> {
    const properties = await referenceImages.call((container, abortSignal) =>
      propertiesOf(container, name, abortSignal),
    );
    return properties && readFacts(name, properties);
  }

  async function remove(name: ImageName, version?: Version): Promise<boolean> {
    return referenceImages.call(async (container, abortSignal, repeated) => {
      try {
        await container.getBlobClient(name).delete({ abortSignal, conditions: onlyVersion(version) });
        return true;
      } catch (error) {
        if (!conditionFailed(error)) throw error;
        // The first try removed the image if its response was lost and the image is gone.
        return repeated && !(await propertiesOf(container, name, abortSignal));
      }
    });
  }

  function list(prefix: string, continuationToken?: string): Promise<Page<ListedImage>> {
    return referenceImages.call(async (container, abortSignal) => {
      const settings = compact({ maxPageSize: listPageSize, continuationToken });
      const pages = container.listBlobsFlat({ prefix, includeMetadata: true, abortSignal }).byPage(settings);
      const { value } = await pages.next();
      const items: Blob[] = value?.segment.blobItems ?? [];
      return compact({ items: items.flatMap(readListed), continuationToken: value?.continuationToken || undefined });
    });
  }

  function count(folder: string, upTo: number): Promise<number> {
    return referenceImages.call(async (container, abortSignal) => {
      let found = 0;
      // A page may have fewer images than requested, although more pages follow.
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

/** Empty for a blob that is no image. An image that another program stored has only the times of the storage service. */
function readListed({ name, properties, metadata }: Blob): ListedImage[] {
  if (!isImageName(name)) return [];
  const { createdon, device } = metadataSchema.partial().safeParse(metadata ?? {}).data ?? {};
  const createdOn = createdon ?? (properties.createdOn ?? properties.lastModified).toISOString();
  return [compact({ name, createdOn, version: versionOf(properties.etag), deviceCorrelationId: decode(device) })];
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

/** Metadata is sent in headers, so values that a caller chooses are percent-encoded. */
function writeMetadata({ facts, deviceCorrelationId, owner }: NewImage, createdOn: string): Record<string, string> {
  return compact({
    sha256: facts.sha256,
    type: facts.contentType,
    width: String(facts.width),
    height: String(facts.height),
    createdon: createdOn,
    device: deviceCorrelationId === undefined ? undefined : encodeURIComponent(deviceCorrelationId),
    owner: owner === undefined ? undefined : encodeURIComponent(owner),
  }) as Record<string, string>;
}

interface BlobProperties {
  metadata?: Record<string, string>;
  etag?: string;
  contentLength?: number;
}

function readFacts(name: ImageName, { metadata, etag, contentLength }: BlobProperties): StoredImageFacts {
  const parsed = metadataSchema.safeParse(metadata);
  if (!parsed.success || etag === undefined || contentLength === undefined) {
    throw new Error(`The blob ${name} does not have the metadata of a reference image`, { cause: parsed.error });
  }
  const { device, owner, type, createdon, ...facts } = parsed.data;
  return compact({
    ...facts,
    contentType: type,
    createdOn: createdon,
    version: versionOf(etag),
    sizeInBytes: contentLength,
    deviceCorrelationId: decode(device),
    owner: decode(owner),
  });
}

function decode(value: string | undefined): string | undefined {
  return value === undefined ? undefined : decodeURIComponent(value);
}

function sameMetadata(stored: Record<string, string> | undefined, sent: Record<string, string>): boolean {
  return Object.entries(sent).every(([name, value]) => stored?.[name] === value);
}

/** A missing blob answers 404 to `If-Match` in some places, and an existing one 409 to `If-None-Match: *`. */
function conditionFailed(error: unknown): boolean {
  const failure = readFailure(error);
  return failure?.status === 412 || failure?.code === "BlobAlreadyExists" || failure?.code === "BlobNotFound";
}

/** A version is the ETag without its quotes: in a list, Azure leaves them out. */
function versionOf(etag = ""): Version {
  return etag.replaceAll('"', "") as Version;
}

function onlyVersion(version: Version | undefined) {
  return version === undefined ? {} : { ifMatch: `"${version}"` };
}
