/** Text to ids. */
export interface PairEncoder {
  encode(text: string, options?: { specialTokens?: boolean }): number[];
}

/**
 * Encodes a context and what follows it so that they meet where the tokenizer would cut the whole text: spaces at the
 * end of the context go to the continuation, both are encoded together, and what the context alone does not cover is
 * the
 * continuation. An empty context is the prefix token alone.
 *
 * @param separately for encoder-decoder models, whose two sides are never one text
 * @example encodePair(tokenizer, "The answer is ", "42", { prefix: 1 })  // the continuation is the tokens of " 42"
 */
export function encodePair(
  tokenizer: PairEncoder,
  context: string,
  continuation: string,
  { prefix, separately = false }: { prefix: number; separately?: boolean },
): [context: number[], continuation: number[]] {
  const encode = (text: string): number[] => tokenizer.encode(text, { specialTokens: false });
  if (context === "") return [[prefix], encode(continuation)];
  const bare = context.trimEnd();
  const rest = context.slice(bare.length) + continuation;
  const given = tokenizer.encode(bare);
  return [given, separately ? encode(rest) : tokenizer.encode(bare + rest).slice(given.length)];
}
