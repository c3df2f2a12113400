import { invalidRequestBody } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { ApiError, ErrorDetail } from "../../errors.ts";
import type { BodyPart } from "../codec.ts";
import { isRecord, parseCallerJson } from "../json.ts";
import type { VerifyImage } from "../model.ts";
import { duplicateField, invalidField } from "./request-fields.ts";

/** A parsed form. */
export interface Form {
  /** Names of all parts. */
  names: Set<string>;
  texts: Map<string, string>;
  image?: VerifyImage;
  /** Errors in the parts. */
  problems: ErrorDetail[];
}

/** The part of the previews' forms that contains the other fields as a JSON object. */
export const parametersName = "Parameters";

/** Whether a part has the name of the verify image in any version. */
export function isImageName(name: string): boolean {
  return name.toLowerCase() === "verifyimage";
}

/**
 * Groups the parts of a form by type. Part names are case-insensitive, since the versions differ (`VerifyImage`,
 * `verifyImage`). Parts in `names` get the spelling there; other parts keep their names and are refused later as unknown
 * fields.
 *
 * @param imageName name of the image part.
 */
export function readForm(parts: readonly BodyPart[], names: readonly string[], imageName: string): Form {
  const known = new Map([...names, imageName].map((name) => [name.toLowerCase(), name]));
  const form: Form = { names: new Set(), texts: new Map(), problems: [] };
  for (const part of parts) {
    const name = known.get(part.name.toLowerCase()) ?? part.name;
    if (form.names.has(name)) form.problems.push(duplicateField(name, "Must be one part, not several."));
    else if (name === imageName) readImage(part, name, form);
    else readText(part, name, form);
    form.names.add(name);
  }
  return form;
}

function readImage(part: BodyPart, name: string, form: Form): void {
  const { filename, contentType, content } = part;
  // For the service, a part is a file only if it has a file name.
  if (!filename) {
    form.problems.push(invalidField(name, "Must be a file: the part needs a file name."));
    return;
  }
  const bytes = typeof content === "string" ? Buffer.from(content, "utf8") : content;
  form.image = compact({ bytes, filename, contentType });
}

function readText(part: BodyPart, name: string, form: Form): void {
  const { content } = part;
  try {
    form.texts.set(name, typeof content === "string" ? content : utf8.decode(content));
  } catch {
    form.problems.push(invalidField(name, "Must be text in UTF-8."));
  }
}

/**
 * The fields of a form: those in `Parameters`, if present, and the texts of the other parts. A field in both is a problem.
 *
 * @throws ApiError 400 if `Parameters` is not a JSON object.
 */
export function readFields({ texts }: Form): { fields: Record<string, unknown>; problems: ErrorDetail[] } {
  const text = texts.get(parametersName);
  const parameters = text === undefined ? {} : parseParameters(text);
  const beside = [...texts].filter(([name]) => name !== parametersName);
  const twice = beside.filter(([name]) => Object.hasOwn(parameters, name));
  return {
    fields: { ...parameters, ...Object.fromEntries(beside) },
    problems: twice.map(([name]) => duplicateField(name, `Must occur once, in ${parametersName} or as a part.`)),
  };
}

function parseParameters(text: string): Record<string, unknown> {
  try {
    const parameters = parseCallerJson(text);
    if (isRecord(parameters)) return parameters;
  } catch {
    // Invalid JSON gets the same error as JSON that is not an object.
  }
  throw invalidParameters();
}

/** 400 for a form whose `Parameters` is missing or not a JSON object. */
export function invalidParameters(): ApiError {
  return invalidRequestBody([invalidField(parametersName, "Must be a part with a JSON object.")]);
}

// A byte order mark is content like any other.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The file part of an image. The service requires a file name and ignores its value. The caller's file name is not passed on:
 * it may contain personal data, or characters that forms cannot contain.
 */
export function writeImage(name: string, { bytes, contentType = "application/octet-stream" }: VerifyImage): BodyPart {
  return { name, filename: "image", contentType, content: bytes };
}

/** Formats a non-negative number without an exponent, which parts of a form must not have. */
export function writeNumber(value: number): string {
  const [digits = "", exponent] = String(value).split("e-");
  if (exponent === undefined) return digits;
  const [whole = "", fraction = ""] = digits.split(".");
  return `0.${"0".repeat(Number(exponent) - whole.length)}${whole}${fraction}`;
}
