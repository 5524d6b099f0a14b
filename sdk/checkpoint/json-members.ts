/** What we read nests three deep; V8 would take gigabytes for a hundred megabytes of "[". */
const MAX_DEPTH = 32;

/**
 * Yields the members of a JSON object in order, each value as its text, without building the object.
 * JSON.parse keeps only the last of two equal names, and would hold the names of an index with half a million
 * tensors a second time. Values are cut out by their brackets and quotes; whoever parses them finds what is wrong
 * inside.
 *
 * @throws SyntaxError if the text is not one JSON object
 * @example [...jsonMembers('{"a": [1, 2], "a": 3}')]  // [["a", "[1, 2]"], ["a", "3"]]
 */
export function* jsonMembers(text: string): Generator<[name: string, value: string]> {
  let at = skipSpace(text, 0);
  if (text[at] !== "{") throw new SyntaxError(`it begins with ${JSON.stringify(text.slice(0, 20))}`);
  at = skipSpace(text, at + 1);
  if (text[at] === "}") return expectEnd(text, at + 1);
  for (;;) {
    const nameEnd = stringEnd(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    at = skipSpace(text, nameEnd);
    if (text[at] !== ":") throw new SyntaxError(`no ":" at character ${at}`);
    const start = skipSpace(text, at + 1);
    at = valueEnd(text, start);
    yield [name, text.slice(start, at)];
    if (text[at] === "}") return expectEnd(text, at + 1);
    at = skipSpace(text, at + 1);
  }
}

/** Index of the "," or "}" that closes the value which starts here. */
function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = stringEnd(text, at) - 1;
        break; // "
      case 0x5b:
      case 0x7b:
        if (++depth > MAX_DEPTH) throw new SyntaxError(`more than ${MAX_DEPTH} brackets in each other`);
        break; // [ {
      case 0x5d:
        depth--;
        break; // ]
      case 0x7d:
        if (depth-- === 0) return at;
        break; // }
      case 0x2c:
        if (depth === 0) return at;
        break; // ,
    }
  }
  throw new SyntaxError("the object has no end");
}

/** Index after the closing quote. */
function stringEnd(text: string, start: number): number {
  if (text[start] !== "\"") throw new SyntaxError(`no name at character ${start}`);
  for (let quote = text.indexOf("\"", start + 1); quote !== -1; quote = text.indexOf("\"", quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  throw new SyntaxError("a string has no end");
}

function skipSpace(text: string, at: number): number {
  for (;; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
  }
}

function expectEnd(text: string, at: number): void {
  if (skipSpace(text, at) !== text.length) throw new SyntaxError(`something follows the object at character ${at}`);
}
