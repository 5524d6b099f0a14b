import type { Tokenizer } from "@huggingface/tokenizers";

/** What is reached of the library's parts, whose classes it does not declare. */
interface Part {
  pattern?: RegExp | null;
  tokenizers?: (Part | null)[];
  normalizers?: (Part | null)[];
  pre_tokenize_text(text: string): string[];
  normalize(text: string): string;
  clean_text(text: string): string;
}
interface Config {
  type?: string;
  behavior?: string;
  invert?: boolean;
  individual_digits?: boolean;
  strip_left?: boolean;
  strip_right?: boolean;
  pretokenizers?: Config[];
  normalizers?: Config[];
}
type Behavior = "removed" | "isolated" | "mergedwithprevious" | "mergedwithnext" | "contiguous";

const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
const PUNCTUATION = "\\p{P}\\u0021-\\u002F\\u003A-\\u0040\\u005B-\\u0060\\u007B-\\u007E";
const GPT2 = new RegExp(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+"
    + "|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+",
  "gu",
);
const MARK = new RegExp(`[${PUNCTUATION}]`, "gu");
const PRE_TOKENIZERS = new Map([["WhitespaceSplit", /\P{White_Space}+/gu], ["Whitespace",
  new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, "gu")], ["BertPreTokenizer",
  new RegExp(`[^\\p{White_Space}${PUNCTUATION}]+|[${PUNCTUATION}]`, "gu")]]);
const matches = (pattern: RegExp) => (text: string) => text.match(pattern) ?? [];

/**
 * Gives the parts of @huggingface/tokenizers 0.2.0 the classes of characters that the Rust library has: white space is
 * Unicode's White_Space (JavaScript's \s has the byte order mark and lacks U+0085), words and digits are Unicode's,
 * and what a split does with its separators is as told.
 */
export function splitByUnicode(library: Tokenizer, file: Record<string, unknown>): void {
  preTokenizer(library.pre_tokenizer as unknown as Part | null, file.pre_tokenizer as Config | null);
  normalizer(library.normalizer as unknown as Part | null, file.normalizer as Config | null);
}

function preTokenizer(part: Part | null, config: Config | null | undefined): void {
  if (!part || !config) return;
  const behavior = (config.behavior?.toLowerCase() ?? "isolated") as Behavior;
  const split = PRE_TOKENIZERS.get(config.type ?? "");
  if (config.type === "Sequence") part.tokenizers?.forEach((each, i) => preTokenizer(each, config.pretokenizers?.[i]));
  else if (config.type === "ByteLevel") part.pattern = GPT2;
  else if (config.type === "Digits")
    part.pre_tokenize_text = matches(config.individual_digits ? /\P{N}+|\p{N}/gu : /\P{N}+|\p{N}+/gu);
  else if (config.type === "Punctuation") part.pre_tokenize_text = separate(MARK, behavior, false);
  else if (config.type === "Split" && part.pattern)
    part.pre_tokenize_text = separate(part.pattern, behavior, config.invert ?? false);
  else if (split) part.pre_tokenize_text = matches(split);
}

/** The pieces of a text between the matches of a pattern. @param inverted whether the matches are what stays */
function separate(pattern: RegExp, behavior: Behavior, inverted: boolean): (text: string) => string[] {
  return (text) => {
    const parts: { text: string; separates: boolean }[] = [];
    let at = 0;
    const push = (end: number, separates: boolean) => {
      if (end > at) parts.push({ text: text.slice(at, end), separates: separates !== inverted });
      at = end;
    };
    for (const found of text.matchAll(pattern)) {
      push(found.index, false);
      push(found.index + found[0].length, true);
    }
    push(text.length, false);
    return together(parts, behavior);
  };
}

function together(parts: { text: string; separates: boolean }[], behavior: Behavior): string[] {
  const kept: { text: string; separates: boolean }[] = [];
  for (const part of behavior === "removed" ? parts.filter(({ separates }) => !separates) : parts) {
    const last = kept[kept.length - 1];
    const joins = last !== undefined
      && (behavior === "contiguous"
        ? last.separates === part.separates
        : behavior === "mergedwithprevious"
        ? part.separates && !last.separates
        : behavior === "mergedwithnext" && last.separates && !part.separates);
    if (joins) kept[kept.length - 1] = { text: last.text + part.text, separates: part.separates };
    else kept.push(part);
  }
  return kept.map(({ text }) => text);
}

function normalizer(part: Part | null, config: Config | null | undefined): void {
  if (!part || !config) return;
  if (config.type === "Sequence") part.normalizers?.forEach((each, i) => normalizer(each, config.normalizers?.[i]));
  else if (config.type === "Strip")
    part.normalize = (text) => {
      const start = config.strip_left ? text.replace(/^\p{White_Space}+/u, "") : text;
      return config.strip_right ? start.replace(/\p{White_Space}+$/u, "") : start;
    };
  else if (config.type === "BertNormalizer")
    part.clean_text = (text) =>
      text.replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\ufffd]/gu, "").replace(/\p{White_Space}/gu, " ");
}
