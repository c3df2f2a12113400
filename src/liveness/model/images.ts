import type { Page } from "./page.ts";
import type { Version } from "./references.ts";

/** Facts derived from an image's bytes. */
export interface ImageFacts {
  contentType: "image/jpeg" | "image/png" | "image/gif" | "image/bmp";
  width: number;
  height: number;
  /** SHA-256, hex. */
  sha256: string;
}

export interface StoredImageFacts extends ImageFacts {
  createdOn: string;
  version: Version;
  sizeInBytes: number;
  deviceCorrelationId?: string;
  /** Owner of the session, if the image was uploaded with a creation. The name of a held image contains its owner. */
  owner?: string;
}

/** An image in a list. */
export interface ListedImage extends Pick<StoredImageFacts, "createdOn" | "version" | "deviceCorrelationId"> {
  name: ImageName;
}

export interface NewImage {
  bytes: Uint8Array;
  facts: ImageFacts;
  deviceCorrelationId?: string;
  owner?: string;
}

/** Whether the caller's conditions permit a change of the current version. Undefined: no image is stored. */
export type Permits = (current: Version | undefined) => boolean;

/** The images of one user, as the beginning of their names: `held-by/{owner}/`. */
export type OwnFolder = `held-by/${string}/`;
/** Images that callers keep: `held/{id}` by services, `held-by/{owner}/{id}` by users. */
export type HeldImageName = `held/${string}` | `${OwnFolder}${string}`;
/** Reference images: held ones, and `sessions/{creationId}`, which are uploaded with a creation. */
export type ImageName = HeldImageName | `sessions/${string}`;

/** Reference images. */
export interface Images {
  /**
   * Stores an image and returns its version.
   *
   * @param replaces the version to replace, or `none` to create the image. Default: either.
   * @returns undefined if the stored image is not the one to replace; nothing is written then.
   */
  put(name: ImageName, image: NewImage, replaces?: Version | "none"): Promise<Version | undefined>;
  get(name: ImageName): Promise<{ bytes: Uint8Array; facts: StoredImageFacts } | undefined>;
  facts(name: ImageName): Promise<StoredImageFacts | undefined>;
  /** False if there is no image, or another version than the given one; nothing is removed then. */
  delete(name: ImageName, version?: Version): Promise<boolean>;
  /** One page of images by name, from the beginning or after the last page. */
  list(prefix: "sessions/" | "", continuationToken?: string): Promise<Page<ListedImage>>;
  /** Number of a user's images, at most `upTo` (from 1). */
  count(folder: OwnFolder, upTo: number): Promise<number>;
  /** One small read. Throws if the images cannot be reached. */
  probe(): Promise<void>;
}
