import { MoeError } from "../errors.js";
import { shown } from "../shown.js";
import type { Rng } from "../tensor/rng.js";

/** How the next token is chosen from the logits; without any of these the likeliest one is taken. */
export interface Sampling {
  /** divides the logits; 0: the likeliest token. Default 1 where `topK`, `topP`, `minP` or `seed` is given, else 0 */
  temperature?: number;
  /** only the so many likeliest tokens, from 1 */
  topK?: number;
  /** only the likeliest tokens whose probabilities together reach this share, in (0, 1] (nucleus, arXiv 1904.09751) */
  topP?: number;
  /** only tokens of at least this share of the likeliest one's probability, in [0, 1) (arXiv 2407.01082) */
  minP?: number;
  /** above 1: tokens of prompt and answer become less likely (CTRL, arXiv 1909.05858), in (0, ∞); default 1 */
  repetitionPenalty?: number;
  /** same seed, same text: row i of a batch draws from its own stream of this seed; default 0 */
  seed?: number;
}

const RANGES: Record<keyof Sampling, { accepted: string; holds(x: number): boolean }> = {
  temperature: { accepted: "a number from 0", holds: (x) => x >= 0 && x < Infinity },
  topK: { accepted: "a whole number from 1", holds: (x) => Number.isInteger(x) && x >= 1 },
  topP: { accepted: "a number above 0 and at most 1", holds: (x) => x > 0 && x <= 1 },
  minP: { accepted: "a number from 0 and below 1", holds: (x) => x >= 0 && x < 1 },
  repetitionPenalty: { accepted: "a number above 0", holds: (x) => x > 0 && x < Infinity },
  seed: { accepted: "a whole number", holds: Number.isSafeInteger },
};

/** @throws MoeError `bad-sampling` */
export function checkSampling(sampling: Sampling): void {
  for (const [name, { accepted, holds }] of Object.entries(RANGES)) {
    const value = sampling[name as keyof Sampling];
    if (value !== undefined && !(typeof value === "number" && holds(value)))
      throw new MoeError("bad-sampling",
        `generate: ${name} is ${shown(value)}; accepted is ${accepted}. Change { ${name} }.`);
  }
}

/** The temperature that is meant: 0 is greedy. */
export function temperatureOf({ temperature, topK, topP, minP, seed }: Sampling): number {
  const draws = [topK, topP, minP, seed].some((option) => option !== undefined);
  return temperature ?? (draws ? 1 : 0);
}

/**
 * Probabilities [V] of the next token, in the order of transformers' logits processors: repetition penalty,
 * temperature, top-k, top-p, min-p. Of tokens that are equally likely at the limit of top-k or top-p all stay.
 *
 * @param logits [V]
 * @param seen ids of prompt and answer
 * @example nextProbabilities(Float32Array.of(2, 1, 0), [], { topK: 2 })  // 0.731, 0.269, 0
 */
export function nextProbabilities(
  logits: ArrayLike<number>,
  seen: Iterable<number>,
  { topK, topP, minP, repetitionPenalty = 1, ...rest }: Sampling,
): Float64Array {
  const temperature = temperatureOf({ topK, topP, minP, ...rest }) || 1;
  const scores = penalized(logits, seen, repetitionPenalty).map((score) => score / temperature);
  if (topK !== undefined && topK < scores.length) keep(scores, scores.slice().sort()[scores.length - topK]);
  if (topP !== undefined && topP < 1) keep(scores, nucleus(scores, topP));
  if (minP !== undefined && minP > 0) keep(scores, greatest(scores) + Math.log(minP));
  return softmax(scores);
}

/** A token drawn with these probabilities. */
export function draw(probabilities: Float64Array, rng: Rng): number {
  const at = rng.next();
  let sum = 0, last = 0;
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue;
    sum += probabilities[id];
    if (at < sum) return id;
    last = id;
  }
  return last;
}

/** Logits [V] where tokens that were seen are less likely. */
export function penalized(logits: ArrayLike<number>, seen: Iterable<number>, penalty: number): Float64Array {
  const scores = Float64Array.from(logits);
  if (penalty !== 1) {
    for (const id of new Set(seen)) scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
  }
  return scores;
}

function keep(scores: Float64Array, least: number): void {
  for (let id = 0; id < scores.length; id++) if (scores[id] < least) scores[id] = -Infinity;
}

/** The score of the least likely token that belongs to the nucleus. */
function nucleus(scores: Float64Array, topP: number): number {
  const rising = scores.slice().sort();
  const probabilities = softmax(rising);
  let left = 0, at = 0;
  while (at < rising.length - 1 && (left += probabilities[at]) <= 1 - topP) at++;
  return rising[at];
}

function greatest(scores: Float64Array): number {
  let most = -Infinity;
  for (const score of scores) if (score > most) most = score;
  return most;
}

function softmax(scores: Float64Array): Float64Array {
  const most = greatest(scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const sum = powers.reduce((all, power) => all + power, 0);
  return powers.map((power) => power / sum);
}
