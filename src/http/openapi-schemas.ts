import * as z from "zod";

/** A JSON Schema, as OpenAPI 3.1 has it. */
export type JsonSchema = Record<string, unknown>;

/** Which way a shape goes: what callers may send, or what they get. */
export type Direction = "input" | "output";

export interface Schemas {
  /** By their ids. */
  readonly components: Record<string, JsonSchema>;
  /** The schema of a shape: a reference, where the shape has an id. */
  schemaOf(shape: z.ZodType, direction: Direction): JsonSchema;
}

/**
 * Turns the shapes of requests and answers into JSON Schemas. Those with an id become components, to which all others
 * refer; an id that is used both ways must mean the same both ways.
 */
export function createSchemas(): Schemas {
  const components: Record<string, JsonSchema> = {};
  return {
    components,
    schemaOf(shape, direction) {
      const { $schema: _, $defs = {}, ...schema } = z.toJSONSchema(shape, { io: direction });
      for (const [id, component] of Object.entries($defs)) components[id] = tidy(component);
      return tidy(schema);
    },
  };
}

/** Headers, parameters or fields of an object one by one: its schemas, and which of them must be there. */
export interface Property {
  name: string;
  required: boolean;
  description: string | undefined;
  schema: JsonSchema;
}

/**
 * The properties of an object. Those of a request are described by what becomes of them, since on their way they are all
 * text; whether they must be there is seen from what goes in.
 */
export function propertiesOf(shape: z.ZodType): Property[] {
  const sent = objectOf(z.toJSONSchema(shape, { io: "input" }));
  const { properties } = objectOf(z.toJSONSchema(shape, { io: "output" }));
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = tidy(property);
    return {
      name,
      required: sent.required.includes(name),
      description: typeof description === "string" ? description : undefined,
      schema,
    };
  });
}

/** The headers of an answer. */
export function headersOf(shape: z.ZodType): JsonSchema {
  return Object.fromEntries(
    propertiesOf(shape).map(({ name, description, ...header }) => [
      name,
      { ...(description !== undefined && { description }), ...header },
    ]),
  );
}

const objectSchema = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
});

function objectOf(schema: unknown): z.infer<typeof objectSchema> {
  return objectSchema.parse(schema);
}

/** Leaves out what the library adds of its own, and points references to where OpenAPI keeps its components. */
function tidy(value: unknown): JsonSchema {
  const tidied = tidyValue(value);
  return isSchema(tidied) ? tidied : {};
}

function tidyValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidyValue);
  if (!isSchema(value)) return value;
  const entries = Object.entries(value).filter((entry) => !isNoise(entry, value));
  return Object.fromEntries(entries.map(([key, inner]) => [key, key === "$ref" ? pointTo(inner) : tidyValue(inner)]));
}

function isNoise([key, inner]: [string, unknown], schema: JsonSchema): boolean {
  // The bounds of numbers that are exact.
  if (key === "minimum" || key === "maximum") return Math.abs(Number(inner)) === Number.MAX_SAFE_INTEGER;
  // The pattern of a time says nothing that its format does not.
  if (key === "pattern") return schema.format === "date-time" || schema.format === "uri";
  // A 64-bit integer is read from text as well, but never written so.
  if (key === "anyOf") return schema.format === "int64";
  return key === "contentEncoding" && inner === "binary";
}

function pointTo(reference: unknown): unknown {
  return String(reference).replace("#/$defs/", "#/components/schemas/");
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
