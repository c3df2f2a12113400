import type { Page } from "./page.ts";

/** What is known of an image by looking at its bytes. */
export interface ImageFacts {
  contentType: "image/jpeg" | "image/png" | "image/gif" | "image/bmp";
  width: number;
  height: number;
  /** SHA-256, hex. */
  sha256: string;
}

export interface StoredImageFacts extends ImageFacts {
  createdOn: string;
  etag: string;
  sizeInBytes: number;
  deviceCorrelationId?: string;
  /** Whose creation the image came with. A held image has its owner in its name. */
  owner?: string;
}

/** An image in a list. */
export interface ListedImage extends Pick<StoredImageFacts, "createdOn" | "etag" | "deviceCorrelationId"> {
  name: ImageName;
}

export interface NewImage {
  bytes: Uint8Array;
  facts: ImageFacts;
  deviceCorrelationId?: string;
  owner?: string;
}

/** ETags as HTTP has them, or `*`. */
export interface Conditions {
  ifMatch?: string;
  ifNoneMatch?: string;
}

/** The images of one user, as the beginning of their names: `held-by/{owner}/`. */
export type OwnFolder = `held-by/${string}/`;
/** Images that callers keep: `held/{id}` by services, `held-by/{owner}/{id}` by users. */
export type HeldImageName = `held/${string}` | `${OwnFolder}${string}`;
/** Reference images: held ones, and `sessions/{creationId}`, which come with a creation. */
export type ImageName = HeldImageName | `sessions/${string}`;

/** Reference images. */
export interface Images {
  /** Throws `ApiError` 412 `ConditionNotMet` where the conditions do not hold. */
  put(name: ImageName, image: NewImage, conditions?: Conditions): Promise<{ etag: string; created: boolean }>;
  get(name: ImageName): Promise<{ bytes: Uint8Array; facts: StoredImageFacts } | undefined>;
  facts(name: ImageName): Promise<StoredImageFacts | undefined>;
  /** False where there was none. Throws `ApiError` 412 `ConditionNotMet` where the conditions do not hold. */
  delete(name: ImageName, conditions?: Conditions): Promise<boolean>;
  /** One page of images by name, from the beginning or from where the last page ended. */
  list(prefix: "sessions/" | "", continuationToken?: string): Promise<Page<ListedImage>>;
  /** How many images a user has. Counts no further than `upTo`, from 1. */
  count(folder: OwnFolder, upTo: number): Promise<number>;
  /** One cheap read of the container. Throws where it cannot be reached. */
  probe(): Promise<void>;
}
