/** Far above the depth of any valid request. */
const maxDepth = 32;

/**
 * Parses JSON of a caller.
 *
 * @throws SyntaxError for invalid JSON; RangeError for more than 32 levels of arrays and objects, with a message that may be
 * sent to the caller.
 */
export function parseJson(text: string): unknown {
  if (isDeep(text)) throw new RangeError(`The JSON has more than ${maxDepth} levels.`);
  return JSON.parse(text);
}

const [quote, backslash] = [0x22, 0x5c];
const [openArray, closeArray] = [0x5b, 0x5d];
const [openObject, closeObject] = [0x7b, 0x7d];

/** Whether brackets outside of strings exceed the depth. Other errors in the text are left to the parser. */
function isDeep(text: string): boolean {
  let depth = 0;
  let isString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (isString) {
      if (code === backslash) index += 1;
      else if (code === quote) isString = false;
    } else if (code === quote) {
      isString = true;
    } else if (code === openArray || code === openObject) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (code === closeArray || code === closeObject) {
      depth -= 1;
    }
  }
  return false;
}
