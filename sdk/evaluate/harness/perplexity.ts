import { mean } from "../../statistics/mean.js";

/** A log-likelihood and what it is divided by: words, or UTF-8 bytes. */
export type Weighted = readonly [logLikelihood: number, size: number];

/** Perplexity per document: e to the minus mean of log-likelihoods. */
export function perplexity(logLikelihoods: readonly number[]): number {
  return Math.exp(-mean(logLikelihoods));
}

/** Word or byte perplexity: all log-likelihoods over all words or bytes. */
export function weightedPerplexity(items: readonly Weighted[]): number {
  return Math.exp(-perUnit(items));
}

/** Bits that the model needs for one byte. */
export function bitsPerByte(items: readonly Weighted[]): number {
  return -perUnit(items) / Math.LN2;
}

/** @example wordCount("one two  three")  // 3 */
export function wordCount(text: string): number {
  return text.split(/\s+/).length;
}

export function byteCount(text: string): number {
  return new TextEncoder().encode(text).length;
}

function perUnit(items: readonly Weighted[]): number {
  let [total, size] = [0, 0];
  for (const [logLikelihood, units] of items) {
    total += logLikelihood;
    size += units;
  }
  return total / size;
}
