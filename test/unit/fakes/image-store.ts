import { compact } from "../../../src/compact.ts";
import type { Bookmarks, WalkName } from "../../../src/liveness/model/bookmarks.ts";
import type { Clock } from "../../../src/liveness/model/clock.ts";
import type { ImageName, Images, StoredImageFacts } from "../../../src/liveness/model/images.ts";
import type { Version } from "../../../src/liveness/model/references.ts";
import type { Calls } from "./calls.ts";

/** Contents of a fake container. */
export interface Blobs {
  images: Map<ImageName, { bytes: Uint8Array; facts: StoredImageFacts }>;
  bookmarks: Map<WalkName, string>;
  /** Images per page of a list. */
  pageSize: number;
  /** Number of the latest version. */
  version: number;
}

export function createBlobs(): Blobs {
  return { images: new Map(), bookmarks: new Map(), version: 0, pageSize: 2 };
}

/** An image store on blobs in memory. */
export function createFakeImages(blobs: Blobs, calls: Calls, now: Clock): Images {
  const { images } = blobs;

  return {
    put: (name, { bytes, facts, deviceCorrelationId, owner }, replaces) =>
      calls.run("images.put", () => {
        if (replaces !== undefined && replaces !== (images.get(name)?.facts.version ?? "none")) return undefined;
        blobs.version += 1;
        const version = String(blobs.version) as Version;
        const createdOn = new Date(now()).toISOString();
        const stored = { ...facts, createdOn, version, sizeInBytes: bytes.byteLength, deviceCorrelationId, owner };
        images.set(name, { bytes: Uint8Array.from(bytes), facts: compact(stored) });
        return version;
      }),
    get: (name) => calls.run("images.get", () => structuredClone(images.get(name))),
    facts: (name) => calls.run("images.facts", () => structuredClone(images.get(name)?.facts)),
    delete: (name, version) =>
      calls.run("images.delete", () => {
        if (version !== undefined && version !== images.get(name)?.facts.version) return false;
        return images.delete(name);
      }),
    list: (prefix, after = "") =>
      calls.run("images.list", () => {
        const names = [...images.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
        const items = names.slice(0, blobs.pageSize).flatMap((name) => {
          const facts = images.get(name)?.facts;
          return facts === undefined ? [] : [{ ...structuredClone(facts), name }];
        });
        const last = items.at(-1)?.name;
        return { items, ...(names.length > items.length && last !== undefined && { continuationToken: last }) };
      }),
    count: (folder, upTo) =>
      calls.run("images.count", () =>
        Math.min(upTo, [...images.keys()].filter((name) => name.startsWith(folder)).length),
      ),
    probe: () => calls.run("images.probe", () => undefined),
  };
}

export function createFakeBookmarks({ bookmarks }: Blobs, calls: Calls): Bookmarks {
  return {
    read: (walk) => calls.run("bookmarks.read", () => bookmarks.get(walk)),
    write: (walk, text) =>
      calls.run("bookmarks.write", () => {
        if (text === undefined) bookmarks.delete(walk);
        else bookmarks.set(walk, text);
      }),
  };
}
