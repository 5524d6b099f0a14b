import type { Tokenizer } from "@huggingface/tokenizers";

const ENDS_WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u;
const STARTS_WORD = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;

/**
 * Gives @huggingface/tokenizers 0.2.0 the added tokens of the Rust library: those with `single_word` are found between
 * word boundaries alone, and what `lstrip` and `rstrip` take is Unicode's white space.
 */
export function findAddedTokens(library: Tokenizer): void {
  const tokens = library.added_tokens_map;
  /** Stretches of text, and added tokens between them. */
  const split = (text: string, pieces: string[]): (string | { token: string })[] => {
    const found: (string | { token: string })[] = [];
    let start = 0;
    let at = 0;
    for (const piece of pieces) {
      const [from, to] = [at, at += piece.length];
      const token = tokens.get(piece);
      if (!token || (token.single_word && (ENDS_WORD.test(text.slice(0, from)) || STARTS_WORD.test(text.slice(to)))))
        continue;
      const before = text.slice(start, Math.max(start, from));
      found.push(token.lstrip ? before.replace(/\p{White_Space}+$/u, "") : before, { token: piece });
      start = Math.max(start, token.rstrip ? to + /^\p{White_Space}*/u.exec(text.slice(to))![0].length : to);
    }
    found.push(text.slice(start));
    return found.filter((part) => part !== "");
  };
  library.encode_text = (text: string | null) => {
    if (text === null) return null;
    return split(text, library.splitter_unnormalized.split(text)).flatMap((section, section_index) => {
      if (typeof section !== "string") return [section.token];
      const normal = library.normalizer ? library.normalizer(section) : section;
      return split(normal, library.splitter_normalized.split(normal)).flatMap((part) =>
        typeof part !== "string"
          ? [part.token]
          : library.model!(library.pre_tokenizer ? library.pre_tokenizer(part, { section_index }) : [part])
      );
    });
  };
}
