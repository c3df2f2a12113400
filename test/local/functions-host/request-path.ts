const encodedRun = /(?:%[0-9a-f]{2})+/gi;
const pathCharacter = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/]$/;
/** A slash stays what it is. A zero the real server refuses with an empty body; here it may reach the app's own errors. */
const keptEncoded = new Set(["%2f", "%00"]);
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The path as the real host's web server makes it from the request line: percent-encoded UTF-8 decoded (everything but
 * `%2F`, and ill-formed sequences left as they are), then `.` and `..` resolved. Undefined where it answers 400.
 */
export function decodePath(rawPath: string): string | undefined {
  if (!rawPath.startsWith("/") || !/^[\x21-\x7e]*$/.test(rawPath)) {
    return undefined;
  }
  return removeDotSegments(rawPath.replaceAll(encodedRun, decodeRun));
}

function decodeRun(run: string): string {
  return run
    .split(/(%2f|%00)/gi)
    .map((part) =>
      keptEncoded.has(part.toLowerCase()) ? part : decodeBytes(Buffer.from(part.replaceAll("%", ""), "hex")),
    )
    .join("");
}

/** Decodes what is well-formed and percent-encodes the other bytes. */
function decodeBytes(bytes: Buffer): string {
  let decoded = "";
  for (let index = 0; index < bytes.length; ) {
    const character = [1, 2, 3, 4]
      .map((length) => bytes.subarray(index, index + length))
      .find((candidate) => isWellFormed(candidate));
    if (character) {
      decoded += strictUtf8.decode(character);
      index += character.length;
    } else {
      decoded += `%${bytes
        .subarray(index, index + 1)
        .toString("hex")
        .toUpperCase()}`;
      index += 1;
    }
  }
  return decoded;
}

function isWellFormed(bytes: Buffer): boolean {
  try {
    strictUtf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.slice(1).split("/");
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1;
    if (segment === "..") {
      kept.pop();
    } else if (segment !== ".") {
      kept.push(segment);
      return;
    }
    if (last) {
      kept.push("");
    }
  });
  return `/${kept.join("/")}`;
}

/**
 * Encodes a decoded path as the real host's proxy does on its way to the app. A `%` is encoded too, so that an app sees
 * `%252F` in its URL where the caller sent `%2F`; route parameters are not concerned.
 */
export function encodePath(path: string): string {
  return [...path]
    .map((character) => (pathCharacter.test(character) ? character : encodeURIComponent(character.toWellFormed())))
    .join("");
}
