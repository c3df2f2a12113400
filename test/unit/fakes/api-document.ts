import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import * as z from "zod";
import { describeApi, type OpenApiDocument } from "../../../infra/openapi/document.ts";
import { endpoints } from "../../../src/endpoints.ts";

/** The OpenAPI document that the build generates. */
export const apiDocument: OpenApiDocument = describeApi(endpoints, "1.2.3");

const isTime = (text: string) => z.iso.datetime({ offset: true }).safeParse(text).success;

/**
 * Validates values against the schemas of a document.
 *
 * @returns a function that takes the path of keys to a schema and a value, and returns the faults of the value as text;
 * undefined if the value is valid.
 */
export function createValidator(document: OpenApiDocument): (path: string[], value: unknown) => string | undefined {
  const ajv = new Ajv2020({
    // The document contains keywords that are unknown to JSON Schema.
    strict: false,
    allErrors: true,
    formats: { "date-time": isTime, uri: URL.canParse, int64: true, binary: true },
  });
  ajv.addSchema(document, "document");
  const compiled = new Map<string, ValidateFunction>();
  return (path, value) => {
    const pointer = path.map(escapeKey).join("/");
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `document#/${pointer}` });
    compiled.set(pointer, validate);
    return validate(value) ? undefined : ajv.errorsText(validate.errors);
  };
}

/** Escapes a key for a JSON pointer in a URI fragment. */
function escapeKey(key: string): string {
  return encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"));
}
