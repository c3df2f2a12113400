/** Bodies as bytes, and the header of their media type. */

export type Field = readonly [name: string, text: string];
export type Headers = readonly (readonly [name: string, value: string])[];

export interface SentBody {
  contentType: string;
  pieces: Buffer[];
  chunked?: boolean;
}

/** A JSON body: a text as it is, or fields in their order, in which the text `true` is the boolean. */
export function json(content: string | readonly Field[], contentType = "application/json"): SentBody {
  const text = typeof content === "string" ? content : JSON.stringify(Object.fromEntries(content.map(readTrue)));
  return { contentType, pieces: [Buffer.from(text)] };
}

function readTrue([name, text]: Field): [string, unknown] {
  return [name, text === "true" ? true : text];
}

export interface Part {
  headers: string;
  content: string | Buffer;
}

export function part(headers: readonly string[], content: string | Buffer): Part {
  return { headers: headers.join("\r\n"), content };
}

/**
 * A form. An image is a piece of its own.
 *
 * @param end what follows the closing boundary.
 * @param quote around the boundary in the header.
 */
export function form(boundary: string, parts: readonly Part[], { end = "\r\n", quote = "" } = {}): SentBody {
  const pieces: Buffer[] = [];
  let text = "";
  for (const { headers, content } of parts) {
    text += `--${boundary}\r\n${headers}\r\n\r\n`;
    if (typeof content === "string") {
      text += `${content}\r\n`;
    } else {
      pieces.push(Buffer.from(text), content, Buffer.from("\r\n"));
      text = "";
    }
  }
  pieces.push(Buffer.from(`${text}--${boundary}--${end}`));
  return { contentType: `multipart/form-data; boundary=${quote}${boundary}${quote}`, pieces };
}
