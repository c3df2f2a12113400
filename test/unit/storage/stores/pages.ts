import assert from "node:assert/strict";
import type { Page } from "../../../../src/liveness/model/page.ts";

/** The items of all pages. Each page but the last has a token that differs from that of the page before. */
export async function pagesOf<T>(read: (continuationToken?: string) => Promise<Page<T>>): Promise<T[][]> {
  const pages: T[][] = [];
  let token: string | undefined;
  do {
    const page = await read(token);
    assert.notEqual(page.continuationToken, token ?? "none");
    pages.push(page.items);
    token = page.continuationToken;
  } while (token !== undefined);
  return pages;
}
