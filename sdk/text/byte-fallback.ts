import type { Tokenizer } from "@huggingface/tokenizers";

type Model = NonNullable<Tokenizer["model"]>;

/**
 * Gives the Unigram model of @huggingface/tokenizers 0.2.0 the byte fallback that it lacks (its BPE has it).
 * A stretch of characters that no piece covers becomes the pieces <0x00> to <0xFF> of its UTF-8 bytes, as in the
 * Rust library, instead of one unknown token. Does nothing for models that do not ask for it.
 */
export function addByteFallback(model: Model): void {
  const config = model.config as { type?: string; byte_fallback?: boolean };
  if (config.type !== "Unigram" || !config.byte_fallback) return;
  const encode = model.encode.bind(model);
  model.encode = (words: string[]) =>
    encode(words).flatMap((piece: string) => {
      if (model.tokens_to_ids.has(piece)) return [piece];
      const bytes = [...new TextEncoder().encode(piece)].map((byte) =>
        `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`
      );
      return bytes.every((byte) => model.tokens_to_ids.has(byte)) ? bytes : [piece];
    });
}
