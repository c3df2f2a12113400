import type { TableEntity } from "@azure/data-tables";
import { z } from "zod";
import type { Entity } from "./table.ts";

/** What all rows share: how values become properties and are read again. */

/** A whole number; one stored as Int64 comes back as a bigint. */
export const wholeNumber = z.union([z.int(), z.bigint().transform(Number)]);

/** A nested shape, kept as JSON in one string property. */
export function json<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: "not JSON" });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** Scalars become plain properties, so that an operator can read and filter them; anything nested becomes JSON. */
export function writeRow(partitionKey: string, rowKey: string, values: object): TableEntity {
  const properties = Object.entries(values).filter(([, value]) => value !== undefined);
  return { partitionKey, rowKey, ...Object.fromEntries(properties.map(([name, value]) => [name, toProperty(value)])) };
}

function toProperty(value: unknown): unknown {
  if (typeof value === "object") return JSON.stringify(value);
  // Whole numbers are Int32 for the service, others Double; a property that is a fraction only at times is a mix of both,
  // which filters compare without trouble.
  return value;
}

/** Reads a row by its schema. Properties that the schema does not know are ignored. */
export function readRow<T>(schema: z.ZodType<T>, entity: Entity): T {
  const parsed = schema.safeParse(entity);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`The row ${entity.rowKey} cannot be read: ${faults.join("; ")}`);
}
