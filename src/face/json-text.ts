/** No request of any version nests more than a few levels. */
const maxDepth = 32;

/**
 * Parses JSON that a caller has sent.
 *
 * @throws SyntaxError for what is no JSON; RangeError for over 32 levels of arrays and objects, whose message is fit for
 * the caller.
 */
export function parseJson(text: string): unknown {
  if (isDeep(text)) throw new RangeError(`The JSON has more than ${maxDepth} levels.`);
  return JSON.parse(text);
}

const [quote, backslash] = [0x22, 0x5c];
const [openArray, closeArray] = [0x5b, 0x5d];
const [openObject, closeObject] = [0x7b, 0x7d];

/** Whether the brackets outside of strings nest too far; whatever else is wrong with the text is for the parser to find. */
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
