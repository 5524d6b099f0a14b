import { MoeError } from "../../errors.js";

/** Tokens that are given, and tokens that are predicted; the last given ones and all but the last predicted overlap. */
export type Window = [context: number[], continuation: number[]];

export interface RollingWindowsOptions {
  /** given before the first token of the text */
  prefix: number;
  /** tokens that the model reads at once */
  length: number;
  /** tokens of context that a later window has at least, 1 to `length`; default 1: windows that hardly overlap */
  context?: number;
}

/**
 * Cuts a long text so that every token is predicted exactly once: the first window predicts `length` tokens, each later
 * one at most `length - context + 1`, with as much context as fits.
 *
 * @throws MoeError `bad-window`
 * @example rollingWindows([1, 2, 3], { prefix: 0, length: 2 })  // [[[0, 1], [1, 2]], [[1, 2], [3]]]
 */
export function rollingWindows(
  tokens: readonly number[],
  { prefix, length, context = 1 }: RollingWindowsOptions,
): Window[] {
  if (!Number.isInteger(length) || !Number.isInteger(context) || context < 1 || context > length) {
    throw new MoeError("bad-window",
      `rollingWindows: context ${context} of length ${length}; accepted are whole numbers with 1 <= `
        + "context <= length. Lower the context.");
  }
  if (tokens.length === 0) return [];
  const first = Math.min(length, tokens.length);
  const windows: Window[] = [[[prefix, ...tokens.slice(0, first - 1)], tokens.slice(0, first)]];
  for (let predicted = first; predicted < tokens.length;) {
    const count = Math.min(tokens.length - predicted, length - context + 1);
    const end = predicted + count;
    windows.push([tokens.slice(end - length - 1, end - 1), tokens.slice(predicted, end)]);
    predicted = end;
  }
  return windows;
}

/** Takes from the context what the continuation repeats: what is left is read first, then the continuation. */
export function disjointWindow([context, continuation]: Window): Window {
  return [context.slice(0, context.length - (continuation.length - 1)), continuation];
}
