/** A whole number that a text writes with a point or an exponent (`7.0`). Inside a string nothing matches. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)/g;
const BARE_WORD = /"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g;
const MARK = "\u0001float ";

/**
 * A configuration as JSON text in which floats stay floats: Python tells 7.0 from 7 and transformers refuses the wrong
 * one, JavaScript has one kind of number. A whole number is written as `like` writes the same value under the same
 * keys.
 *
 * @param like text of the configuration that this one came from
 * @example configText({ swiglu_limit: 7 }, '{"swiglu_limit": 7.0}')  // '{\n  "swiglu_limit": 7.0\n}\n'
 */
export function configText(config: Record<string, unknown>, like?: string): string {
  const marked: unknown = like === undefined
    ? undefined
    : JSON.parse(
      withoutBareWords(like).replace(TOKEN,
        (token) => (token.startsWith("\"") || !Number.isInteger(Number(token)) ? token : JSON.stringify(MARK + token))),
    );
  return `${
    JSON.stringify(markFloats(config, marked), null, 2).replace(
      new RegExp(`"${MARK.replace("\u0001", "\\\\u0001")}([^"]+)"`, "g"),
      "$1",
    )
  }\n`;
}

function markFloats(value: unknown, like: unknown): unknown {
  if (value === Infinity || value === -Infinity) return MARK + String(value);
  if (typeof value === "number")
    return typeof like === "string" && like.startsWith(MARK) && Number(like.slice(MARK.length)) === value
      ? like
      : value;
  if (Array.isArray(value)) return value.map((item, at) => markFloats(item, (like as unknown[] | undefined)?.[at]));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(
      ([key, item]) => [key, markFloats(item, (like as Record<string, unknown> | null | undefined)?.[key])]
    ),
  );
}

/** Python's json writes Infinity and NaN bare: the first is a number that JSON can say, the second says nothing. */
export function withoutBareWords(text: string): string {
  return text.replace(BARE_WORD,
    (token) => token.startsWith("\"") ? token : token === "NaN" ? "null" : token.replace("Infinity", "1e999"));
}
