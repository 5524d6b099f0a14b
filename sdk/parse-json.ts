/** Nothing that is read here nests deeper; V8 takes gigabytes for brackets by the million, and its stack ends. */
const MAX_DEPTH = 128;

/**
 * `JSON.parse` of a text from outside.
 *
 * @throws SyntaxError for what is not JSON, or nests deeper than 128 brackets
 */
export function parseJson(text: string): unknown {
  for (let at = 0, depth = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) { // "
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++; // \
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > MAX_DEPTH) throw new SyntaxError(`more than ${MAX_DEPTH} brackets in each other`);
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return JSON.parse(text);
}
