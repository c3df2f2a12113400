import { compact } from "../compact.ts";
import type { BodyPart } from "../face/codec.ts";

/** Values of a part's headers by lower-case name. Each character of a value is one byte (latin1). */
export type PartHeaders = Record<string, string[]>;

/**
 * Name, file name and content type of a form's part. Undefined without a well-formed `Content-Disposition` of type
 * `form-data` with a name.
 */
export function readPartHeaders(headers: PartHeaders): Omit<BodyPart, "content"> | undefined {
  const parameters = readDisposition(headers["content-disposition"]?.[0] ?? "");
  const name = parameters?.get("name");
  if (parameters === undefined || name === undefined) return undefined;
  // The extended name stays encoded: the app never displays it, and the service only requires that a name is present.
  const filename = parameters.get("filename") ?? parameters.get("filename*");
  const contentType = /^[\x20-\x7e]+$/.exec(headers["content-type"]?.[0]?.trim().toLowerCase() ?? "")?.[0];
  return compact({ name, filename, contentType });
}

/** A quoted value ends at the quote before `;` or the end: clients differ in how they escape quotes within a value. */
const parameter = /;\s*([\w*-]+)\s*=\s*(?:"(.*?)"(?=\s*(?:;|$))|([^\s;"]*))\s*/y;

function readDisposition(header: string): Map<string, string> | undefined {
  const [type = ""] = header.split(";", 1);
  if (type.trim().toLowerCase() !== "form-data") return undefined;
  const parameters = new Map<string, string>();
  parameter.lastIndex = type.length;
  while (parameter.lastIndex < header.length) {
    const [, name = "", quoted, bare = ""] = parameter.exec(header) ?? [];
    if (name === "") return undefined;
    parameters.set(name.toLowerCase(), decodeValue(quoted ?? bare));
  }
  return parameters;
}

const escapes = new Map([
  ["%22", '"'],
  ["%0D", "\r"],
  ["%0A", "\n"],
]);

/** Decodes UTF-8, in which browsers percent-encode exactly these three characters. */
function decodeValue(bytes: string): string {
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  return text.replace(/%(22|0D|0A)/gi, (escaped) => escapes.get(escaped.toUpperCase()) ?? escaped);
}
