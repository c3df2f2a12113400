import { Dicer } from "@fastify/busboy";
import { invalidImageSize, invalidRequestBody } from "../api-errors.ts";
import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";
import type { BodyPart } from "../face/codec.ts";
import { isImageName } from "../face/versions/multipart.ts";
import { duplicateField, invalidField } from "../face/versions/request-fields.ts";
import { imageLimits } from "../liveness/images/inspect-image.ts";
import type { BodySink } from "./body.ts";
import { type PartHeaders, readPartHeaders } from "./part-headers.ts";

const maxParts = 16;
/** Limit for all parts except the image, together. */
const maxTextBytes = 64 * 1024;
/** Limit for the headers of a part, and for the bytes before the first part. */
const maxHeaderBytes = 4 * 1024;
/** The parser processes every write to its end, even after a refusal; small writes bound that work. */
const sliceBytes = 4 * 1024;

/** A part whose headers are complete. */
interface OpenPart extends Omit<BodyPart, "content"> {
  isImage: boolean;
  chunks: Uint8Array[];
  ended: Promise<void>;
}

/**
 * Parses a form while it arrives, and refuses it as soon as a limit is exceeded. In the result, the content of the image and
 * of every other part with a file name is bytes; the content of a text field is a string.
 *
 * @throws ApiError (both methods) 400 `InvalidRequestBody` if the body is not a form, or has more than 16 parts, more than
 * 4 KB of headers in a part, or a second image; 400 `InvalidImageSize` for an image over 6 MB; 413 `RequestBodyTooLarge` for
 * more than 64 KB in the other parts together.
 */
export function createFormSink(boundary: string): BodySink<BodyPart[]> {
  const parser = new Dicer({ boundary });
  const parts: OpenPart[] = [];
  let begun = 0;
  /** Bytes before the first part, or of incomplete headers. Undefined within a part's content. */
  let headerBytes: number | undefined = 0;
  let imageBytes = 0;
  let textBytes = 0;
  let isClosed = false;
  let refusal: ApiError | undefined;

  // Listeners store the refusal and never throw: some are called by the parser's streams, where no caller catches.
  const refuse = (error: ApiError) => {
    refusal ??= error;
  };
  const finished = new Promise<void>((resolve) => {
    parser.on("finish", () => {
      isClosed = true;
      resolve();
    });
    parser.on("error", () => {
      refuse(invalidForm());
      resolve();
    });
  });
  parser.on("part", (stream) => {
    begun += 1;
    headerBytes = 0;
    if (begun > maxParts) refuse(invalidForm(`The form has more than ${maxParts} parts.`));
    // If the form ends within a part, the parser emits the same error.
    stream.on("error", () => undefined);
    stream.on("header", (headers) => {
      headerBytes = undefined;
      if (refusal === undefined) openPart(stream, headers as PartHeaders);
    });
  });

  function openPart(stream: Dicer.PartStream, headers: PartHeaders): void {
    const facts = readPartHeaders(headers);
    if (facts === undefined) {
      refuse(invalidForm());
      return;
    }
    const isImage = isImageName(facts.name);
    if (sizeOf(headers) > maxHeaderBytes) refuse(headersTooLarge());
    if (isImage && parts.some((part) => part.isImage)) refuse(secondImage(facts.name));
    const chunks: Uint8Array[] = [];
    const ended = new Promise<void>((resolve) => {
      stream.on("end", resolve);
    });
    parts.push({ ...facts, isImage, chunks, ended });
    stream.on("data", (chunk: Buffer) => {
      if (isImage) imageBytes += chunk.byteLength;
      else textBytes += chunk.byteLength;
      if (imageBytes > imageLimits.maxBytes) refuse(invalidImageSize());
      if (textBytes > maxTextBytes) refuse(textTooLarge());
      if (refusal === undefined) chunks.push(chunk);
    });
  }

  async function write(slice: Uint8Array): Promise<void> {
    const begunBefore = begun;
    await new Promise<void>((resolve) => {
      parser.write(slice, () => resolve());
    });
    if (headerBytes !== undefined && begun === begunBefore) headerBytes += slice.byteLength;
    if ((headerBytes ?? 0) >= maxHeaderBytes) refuse(headersTooLarge());
    if (refusal !== undefined) throw refusal;
  }

  return {
    async take(chunk) {
      for (let start = 0; start < chunk.byteLength && !isClosed; start += sliceBytes) {
        await write(chunk.subarray(start, start + sliceBytes));
      }
    },
    async end() {
      if (!isClosed) parser.end();
      await finished;
      if (refusal !== undefined) throw refusal;
      await Promise.all(parts.map(({ ended }) => ended));
      if (refusal !== undefined) throw refusal;
      // A part that ends within its headers is not in `parts`.
      if (parts.length < begun) throw invalidForm();
      return parts.map(toBodyPart);
    },
  };
}

/** Length of the headers as sent, up to the whitespace around colons, which the parser removes. */
function sizeOf(headers: PartHeaders): number {
  return Object.entries(headers)
    .flatMap(([name, values]) => values.map((value) => name.length + value.length + ": \r\n".length))
    .reduce((sum, length) => sum + length, 0);
}

function toBodyPart({ name, filename, contentType, isImage, chunks }: OpenPart): BodyPart {
  const { buffer, byteOffset, byteLength } = Buffer.concat(chunks);
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const content = isImage || filename !== undefined ? bytes : decodeText(name, bytes);
  return compact({ name, filename, contentType, content });
}

// A byte order mark is content like any other.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeText(name: string, bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw invalidRequestBody([invalidField(name, "Must be text in UTF-8.")]);
  }
}

/** 400 for a body that cannot be parsed as a form. */
export function invalidForm(message = "The body is not multipart/form-data with a name on every part."): ApiError {
  return invalidRequestBody([{ code: "InvalidMultipart", message, target: "body" }]);
}

function secondImage(name: string): ApiError {
  return invalidRequestBody([duplicateField(name, "Must be one part, not several.")]);
}

function headersTooLarge(): ApiError {
  return invalidForm(`The headers of a part, or the bytes before the first part, exceed ${maxHeaderBytes} bytes.`);
}

function textTooLarge(): ApiError {
  const message = `The parts other than the image exceed ${maxTextBytes} bytes in total.`;
  return new ApiError(413, "RequestBodyTooLarge", message);
}
