import * as z from "zod";

/** A JSON Schema of the dialect of OpenAPI 3.1. */
export type JsonSchema = Record<string, unknown>;

/** `input`: what a caller may send. `output`: what a caller receives. */
export type Direction = "input" | "output";

export interface Schemas {
  /** Schemas by id. */
  readonly components: Record<string, JsonSchema>;
  /** The schema of a shape; a reference to a component if the shape has an id. */
  schemaOf(shape: z.ZodType, direction: Direction): JsonSchema;
}

/**
 * Converts zod shapes of requests and responses to JSON Schemas. Shapes with an id become components. An id used in both
 * directions must have the same schema in both.
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

/** A property of an object shape: a header or a parameter. */
export interface Property {
  name: string;
  required: boolean;
  description: string | undefined;
  schema: JsonSchema;
}

/**
 * The properties of an object shape. Parameters and headers are text on the wire, so their schemas are those of the parsed
 * output; whether a property is required comes from the input.
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

/** Header objects of a response. */
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

/** Removes redundant keywords that zod adds, and rewrites references to point to the components. */
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
  // The range of safe integers, which zod adds to every integer.
  if (key === "minimum" || key === "maximum") return Math.abs(Number(inner)) === Number.MAX_SAFE_INTEGER;
  // Redundant beside the format.
  if (key === "pattern") return schema.format === "date-time" || schema.format === "uri";
  // The app also accepts text from the service, but always writes a number.
  if (key === "anyOf") return schema.format === "int64";
  return key === "contentEncoding" && inner === "binary";
}

function pointTo(reference: unknown): unknown {
  return String(reference).replace("#/$defs/", "#/components/schemas/");
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
