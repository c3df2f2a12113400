const encodedRun = /(?:%[0-9a-f]{2})+/gi;
const pathCharacter = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/]$/;
/** An encoded slash stays encoded. The real server refuses an encoded zero; here it reaches the app. */
const keptEncoded = new Set(["%2f", "%00"]);
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Decodes the path of a request line like the real host's web server: decodes percent-encoded UTF-8 (except `%2F` and
 * invalid sequences), then resolves `.` and `..`. Undefined where the server answers 400.
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

/** Decodes valid UTF-8 and percent-encodes the other bytes. */
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
 * Encodes a decoded path for the app like the real host's proxy. A `%` is encoded too, so `%2F` of the caller is `%252F` in
 * the app's URL; route parameters are not affected.
 */
export function encodePath(path: string): string {
  return [...path]
    .map((character) => (pathCharacter.test(character) ? character : encodeURIComponent(character.toWellFormed())))
    .join("");
}
