import type { Bookmarks, WalkName } from "../../liveness/model/bookmarks.ts";
import { readFailure } from "../azure/storage-errors.ts";
import type { StorageConnection } from "../azure/table.ts";
import { readBody } from "./blob-body.ts";

/** Bookmarks have a folder of their own, so that no bookmark has the name of an image. */
const nameOf = (walk: WalkName) => `bookmarks/${walk}`;

/** Bookmarks as blobs beside the images. */
export function createBookmarks({ referenceImages }: StorageConnection): Bookmarks {
  return {
    read: (walk) =>
      referenceImages.call(async (container, abortSignal) => {
        try {
          const options = { abortSignal, maxRetryRequests: 0 };
          const { readableStreamBody } = await container.getBlobClient(nameOf(walk)).download(0, undefined, options);
          return Buffer.from(await readBody(readableStreamBody)).toString("utf8");
        } catch (error) {
          if (readFailure(error)?.code === "BlobNotFound") return undefined;
          throw error;
        }
      }),
    write: (walk, text) =>
      referenceImages.call(async (container, abortSignal) => {
        const blob = container.getBlockBlobClient(nameOf(walk));
        if (text === undefined) await blob.deleteIfExists({ abortSignal });
        else await blob.upload(text, Buffer.byteLength(text), { abortSignal });
      }),
  };
}
