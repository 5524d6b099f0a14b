import { MoeError } from "../../errors.js";

/**
 * A regular expression as task files write it, in Python's notation: flags in front (`(?s)`, `(?i)`, `(?m)`), named
 * groups `(?P<name>…)`, `\A` and `\Z`. The result finds all matches.
 *
 * @throws MoeError `bad-pattern`
 * @example pattern("(?s).*#### ").flags  // "gs"
 */
export function pattern(source: string | RegExp): RegExp {
  if (source instanceof RegExp)
    return new RegExp(source.source, source.flags.includes("g") ? source.flags : `${source.flags}g`);
  const [, flags = "", body] = source.match(/^(?:\(\?([sim]+)\))?([^]*)$/)!;
  const translated = body.replace(/\(\?P<(\w+)>/g, "(?<$1>").replace(/\\A/g, "(?<![^])").replace(/\\Z/g, "(?![^])");
  try {
    return new RegExp(translated, `g${flags}`);
  } catch (error) {
    throw new MoeError("bad-pattern",
      `pattern: ${source} is not a regular expression (${(error as Error).message}); accepted are `
        + "JavaScript's, and of Python's notation flags in front, (?P<name>…), \\A and \\Z. Rewrite the pattern.", {
      cause: error,
    });
  }
}
