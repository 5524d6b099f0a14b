import { distance } from "fastest-levenshtein";
import { MoeError } from "../errors.js";
import type { MetricName } from "./tasks/task.js";

/** Answers as rows of symbols: strings of a task or ids of a vocabulary, without the end symbol. */
export type Answers = readonly (readonly (string | number)[])[];

export interface Score {
  /** Between 0 and 1; the error rate may exceed 1. */
  value: number;
  stderr: number;
  /** Number of items. */
  n: number;
}

/** Share of answers that are right in every symbol. For single labels this is the accuracy. */
export function exactMatch(predicted: Answers, expected: Answers): Score {
  return mean(rows(predicted, expected).map(([seen, right]) => (equal(seen, right) ? 1 : 0)));
}

/**
 * Share of the expected symbols that stand at their place in the prediction; what is predicted beyond them is not
 * counted.
 */
export function tokenAccuracy(predicted: Answers, expected: Answers): Score {
  return ratio(
    rows(predicted, expected).map(([seen, right]) => [right.filter((symbol, i) =>
      symbol === seen[i]
    ).length, right.length]),
  );
}

/**
 * Edits (insert, delete, replace) that make the prediction right, over the number of expected symbols. Phone error rate
 * for phones.
 */
export function symbolErrorRate(predicted: Answers, expected: Answers): Score {
  const codes = new Map<string | number, string>();
  const text = (symbols: readonly (string | number)[]) =>
    symbols.map((symbol) => {
      if (!codes.has(symbol)) codes.set(symbol, String.fromCharCode(codes.size + 1));
      return codes.get(symbol)!;
    }).join("");
  return ratio(rows(predicted, expected).map(([seen, right]) => [distance(text(seen), text(right)), right.length]));
}

/**
 * Overlap of prediction and answer as bags of symbols, harmonic mean of precision and recall, averaged over items (as
 * SQuAD does).
 */
export function tokenF1(predicted: Answers, expected: Answers): Score {
  return mean(rows(predicted, expected).map(([seen, right]) => {
    const left = [...right];
    const shared = seen.filter((symbol) => {
      const at = left.indexOf(symbol);
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    }).length;
    return seen.length + right.length === 0 ? 1 : (2 * shared) / (seen.length + right.length);
  }));
}

/** F1 of each expected label, averaged over labels with equal weight. The standard error is a jackknife over items. */
export function macroF1(predicted: Answers, expected: Answers): Score {
  const cells = new Map<string, { seen: string; right: string; count: number }>();
  for (const [seen, right] of rows(predicted, expected)) {
    const cell = { seen: seen.join(" "), right: right.join(" "), count: 0 };
    const key = `${cell.seen}\t${cell.right}`;
    if (!cells.has(key)) cells.set(key, cell);
    cells.get(key)!.count++;
  }
  const all = [...cells.values()];
  const n = expected.length;
  const labels = [...new Set(all.map(({ right }) => right))];
  const f1 = () => {
    const scores: number[] = [];
    for (const label of labels) {
      let hits = 0, seen = 0, right = 0;
      for (const cell of all) {
        if (cell.seen === label) seen += cell.count;
        if (cell.right === label) right += cell.count;
        if (cell.seen === label && cell.right === label) hits += cell.count;
      }
      // a label whose only item is left out by the jackknife is no longer expected
      if (right > 0) scores.push((2 * hits) / (seen + right));
    }
    return scores.reduce((sum, score) => sum + score, 0) / scores.length;
  };
  const value = f1();
  if (n === 1) return { value, stderr: 0, n };
  // items of a cell are alike, so leaving one out is computed once for the cell
  const without = all.map((cell) => {
    cell.count--;
    const left = f1();
    cell.count++;
    return { left, count: cell.count };
  });
  const centre = without.reduce((sum, { left, count }) => sum + left * count, 0) / n;
  const spread = without.reduce((sum, { left, count }) => sum + count * (left - centre) ** 2, 0);
  return { value, stderr: Math.sqrt(((n - 1) / n) * spread), n };
}

export const METRICS: Record<MetricName, (predicted: Answers, expected: Answers) => Score> = {
  exact_match: exactMatch,
  token_accuracy: tokenAccuracy,
  symbol_error_rate: symbolErrorRate,
  token_f1: tokenF1,
  macro_f1: macroF1,
};

function rows(predicted: Answers, expected: Answers) {
  if (predicted.length !== expected.length || expected.length === 0) {
    throw new MoeError("answers-do-not-pair",
      `score: ${predicted.length} predictions for ${expected.length} answers; accepted is one for each, at `
        + "least one. Score the items that were predicted.");
  }
  return expected.map((right, i) => [predicted[i], right] as const);
}

const equal = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((symbol, i) => symbol === b[i]);

function mean(values: number[]): Score {
  return ratio(values.map((value) => [value, 1]));
}

/**
 * Sum over sum, with the linearised standard error of a ratio of means; for denominators of 1 it is that of the mean.
 */
function ratio(pairs: [number, number][]): Score {
  const n = pairs.length;
  const below = pairs.reduce((sum, [, b]) => sum + b, 0);
  if (below === 0)
    throw new MoeError("empty-answers",
      "score: all expected answers are empty; accepted is at least one symbol. Score answers without the "
        + "end symbol, but not empty ones.");
  const value = pairs.reduce((sum, [a]) => sum + a, 0) / below;
  const squares = pairs.reduce((sum, [a, b]) => sum + (a - value * b) ** 2, 0);
  return { value, stderr: n > 1 ? Math.sqrt((n / (n - 1)) * squares) / below : 0, n };
}
