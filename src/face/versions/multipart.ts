import * as z from "zod";
import type { ErrorDetail } from "../../errors.ts";
import type { BodyPart } from "../codec.ts";
import type { VerifyImage } from "../model.ts";
import { duplicateField, invalidField } from "./request-fields.ts";

/** A form taken apart. */
export interface Form {
  /** Of all parts. */
  names: Set<string>;
  texts: Map<string, string>;
  image?: VerifyImage;
  /** What is wrong with the parts. */
  problems: ErrorDetail[];
}

/** Whether a part is the one that holds the image, in any version. */
export function isImageName(name: string): boolean {
  return name.toLowerCase() === "verifyimage";
}

/**
 * Sorts the parts of a form. Part names are matched without regard to case: the versions write them in two ways
 * (`VerifyImage`, `verifyImage`), and no two differ in case alone. A part that is in `names` goes by the name there, any
 * other keeps its own and is refused later as an unknown field.
 *
 * @param imageName the part that holds the image.
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
  // The service takes a part for a file by its file name alone.
  if (!filename) {
    form.problems.push(invalidField(name, "Must be a file: the part needs a file name."));
    return;
  }
  const bytes = typeof content === "string" ? Buffer.from(content, "utf8") : content;
  form.image = { bytes, filename, ...(contentType !== undefined && { contentType }) };
}

function readText(part: BodyPart, name: string, form: Form): void {
  const { content } = part;
  try {
    form.texts.set(name, typeof content === "string" ? content : utf8.decode(content));
  } catch {
    form.problems.push(invalidField(name, "Must be text in UTF-8."));
  }
}

// A byte order mark is content like any other.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The file part of an image. The service wants a file name and does not look at it; the caller's own may name a person, and
 * have characters that forms cannot carry.
 */
export function writeImage(name: string, { bytes, contentType = "application/octet-stream" }: VerifyImage): BodyPart {
  return { name, filename: "image", contentType, content: bytes };
}

/** The part of an image, for whoever describes a form. */
export function imageFile(): z.ZodType {
  return z.file().describe("A JPEG, PNG, GIF or BMP of 1 KB to 6 MB. The part needs a file name.");
}

/** A form has an image, or the name of one that is held: JSON Schema. */
export function formMeta(imageName: string): { oneOf: object[] } {
  return { oneOf: [{ required: [imageName] }, { required: ["referenceImageId"] }] };
}

/** What the text of a part says: a boolean, a plain decimal number, or the text itself, which the schema then refuses. */
export function readBoolean(text: string): boolean | string {
  const lower = text.toLowerCase();
  return lower === "true" || (lower === "false" ? false : text);
}

export function readNumber(text: string): number | string {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** A number without an exponent, which the text of a part must not have. For numbers that are not negative. */
export function writeNumber(value: number): string {
  const [digits = "", exponent] = String(value).split("e-");
  if (exponent === undefined) return digits;
  const [whole = "", fraction = ""] = digits.split(".");
  return `0.${"0".repeat(Number(exponent) - whole.length)}${whole}${fraction}`;
}
