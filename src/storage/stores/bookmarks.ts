import type { Bookmarks, WalkName } from "../../liveness/model/bookmarks.ts";
import { downloadBlob } from "../azure/download-blob.ts";
import type { StorageConnection } from "../azure/table.ts";

/** Bookmarks have a folder of their own, so that no bookmark has the name of an image. */
const nameOf = (walk: WalkName) => `bookmarks/${walk}`;

/** Bookmarks as blobs beside the images. */
export function createBookmarks({ referenceImages }: StorageConnection): Bookmarks {
  return {
    read: (walk) =>
      referenceImages.call(async (container, abortSignal) =>
        (await downloadBlob(container, nameOf(walk), abortSignal))?.bytes.toString("utf8"),
      ),
    write: (walk, text) =>
      referenceImages.call(async (container, abortSignal) => {
        const blob = container.getBlockBlobClient(nameOf(walk));
        if (text === undefined) await blob.deleteIfExists({ abortSignal });
        else await blob.upload(text, Buffer.byteLength(text), { abortSignal });
      }),
  };
}
