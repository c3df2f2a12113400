import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import * as z from "zod";
import { describeApi, type OpenApiDocument } from "../../../infra/openapi/document.ts";
import { endpoints } from "../../../src/endpoints.ts";

/** The OpenAPI document as the build generates it. */
export const apiDocument: OpenApiDocument = describeApi(endpoints, "1.2.3");

const isTime = (text: string) => z.iso.datetime({ offset: true }).safeParse(text).success;

/**
 * Holds values against the schemas of a document, wherever in it they stand.
 *
 * @returns what is wrong with a value, by the schema that a path of keys leads to; undefined where nothing is.
 */
export function createValidator(document: OpenApiDocument): (path: string[], value: unknown) => string | undefined {
  const ajv = new Ajv2020({
    // The document has keywords of its own around the schemas.
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

/** A key as it stands in a JSON pointer that is a fragment. */
function escapeKey(key: string): string {
  return encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"));
}
