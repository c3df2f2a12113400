import type { TableEntity } from "@azure/data-tables";
import * as z from "zod";
import { UnreadableItem } from "../../errors.ts";
import type { Entity } from "../azure/table.ts";

/** Conversion between values and the properties of a row. */

/** An integer. The SDK returns Int64 properties as bigint. */
export const wholeNumber = z.union([z.int(), z.bigint().transform(Number)]);

/** A nested shape, stored as JSON in one string property. */
export { jsonText as json } from "../../json-text.ts";

/** A string property may have 64 KiB in UTF-16. Longer texts continue in `{name}__2`, `{name}__3`, … */
const maxTextLength = 32 * 1024;

/**
 * Writes scalars as plain properties, which an operator can read and filter, and nested values as JSON. Undefined values are
 * left out.
 */
export function writeRow(partitionKey: string, rowKey: string, values: object): TableEntity {
  const entity: TableEntity = { partitionKey, rowKey };
  for (const [name, value] of Object.entries(values)) {
    const property: unknown = typeof value === "object" ? JSON.stringify(value) : value;
    const pieces = typeof property === "string" ? cutText(property) : [property];
    for (const [index, piece] of pieces.entries()) {
      if (piece !== undefined) entity[index === 0 ? name : continuation(name, index)] = piece;
    }
  }
  return entity;
}

/** Reads a row by its schema. Other properties are ignored. Throws `UnreadableItem` if the row does not match the schema. */
export function readRow<T>(schema: z.ZodType<T>, entity: Entity): T {
  const parsed = schema.safeParse(joinTexts(entity));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new UnreadableItem(`The row ${entity.rowKey} cannot be read: ${faults.join("; ")}`);
}

function continuation(name: string, index: number): string {
  return `${name}__${index + 1}`;
}

function cutText(text: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  while (text.length - start > maxTextLength) {
    let end = start + maxTextLength;
    // A surrogate pair is not split, because storage rejects lone surrogates.
    if (/[\ud800-\udbff]/.test(text.charAt(end - 1))) end--;
    pieces.push(text.slice(start, end));
    start = end;
  }
  return [...pieces, text.slice(start)];
}

function joinTexts(entity: Entity): Record<string, unknown> {
  const values: Record<string, unknown> = { ...entity };
  for (const [name, value] of Object.entries(entity)) {
    if (typeof value !== "string" || value.length < maxTextLength - 1) continue;
    let whole = value;
    for (let index = 1; typeof values[continuation(name, index)] === "string"; index++) {
      whole += values[continuation(name, index)];
    }
    values[name] = whole;
  }
  return values;
}
