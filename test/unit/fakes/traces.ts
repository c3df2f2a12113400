import type { World } from "./world.ts";

/** Rows that contain the text, and all images, by table; only what there is. */
export function tracesOf(world: World, text: string): Record<string, object[]> {
  const found = Object.entries(world.everything() as Record<string, object[]>).map(([table, rows]) => [
    table,
    table === "images" ? rows : rows.filter((row) => JSON.stringify(row).includes(text)),
  ]);
  return Object.fromEntries(found.filter(([, rows]) => rows?.length));
}
