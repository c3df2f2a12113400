import { ApiError } from "../../../src/errors.ts";
import type { Bookmarks, WalkName } from "../../../src/liveness/model/bookmarks.ts";
import type { Clock } from "../../../src/liveness/model/clock.ts";
import type { Conditions, ImageName, Images, StoredImageFacts } from "../../../src/liveness/model/images.ts";
import type { Calls } from "./calls.ts";

/** What a fake container holds. */
export interface Blobs {
  images: Map<ImageName, { bytes: Uint8Array; facts: StoredImageFacts }>;
  bookmarks: Map<WalkName, string>;
  /** Images on one page of a list. */
  pageSize: number;
  /** Of the last ETag given. */
  version: number;
}

export function createBlobs(): Blobs {
  return { images: new Map(), bookmarks: new Map(), version: 0, pageSize: 2 };
}

/** The image store on blobs in memory. */
export function createFakeImages(blobs: Blobs, calls: Calls, now: Clock): Images {
  const { images } = blobs;

  function check(name: ImageName, { ifMatch, ifNoneMatch }: Conditions = {}): void {
    if (ifMatch !== undefined && ifNoneMatch !== undefined) throw new TypeError("Storage takes no two conditions");
    const etag = images.get(name)?.facts.etag;
    const matches = (condition: string) => etag !== undefined && (condition === "*" || condition === etag);
    if ((ifMatch !== undefined && !matches(ifMatch)) || (ifNoneMatch !== undefined && matches(ifNoneMatch))) {
      throw new ApiError(412, "ConditionNotMet", "The condition does not hold.");
    }
  }

  return {
    put: (name, { bytes, facts, deviceCorrelationId, owner }, conditions) =>
      calls.run("images.put", () => {
        check(name, conditions);
        const created = !images.has(name);
        blobs.version += 1;
        const etag = `"${blobs.version}"`;
        images.set(name, {
          bytes: Uint8Array.from(bytes),
          facts: {
            ...facts,
            createdOn: new Date(now()).toISOString(),
            etag,
            sizeInBytes: bytes.byteLength,
            ...(deviceCorrelationId !== undefined && { deviceCorrelationId }),
            ...(owner !== undefined && { owner }),
          },
        });
        return { etag, created };
      }),
    get: (name) => calls.run("images.get", () => structuredClone(images.get(name))),
    facts: (name) => calls.run("images.facts", () => structuredClone(images.get(name)?.facts)),
    delete: (name, conditions) =>
      calls.run("images.delete", () => {
        if (!images.has(name)) return false;
        check(name, conditions);
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
