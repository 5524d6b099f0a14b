import { distance } from "fastest-levenshtein";
import { MoeError } from "../errors.js";
import { itemScore, type Score, tokenScore } from "./score.js";

/** A prompt and its answer, without end tokens or padding. */
export interface GenerationItem {
  prompt: number[];
  answer: number[];
}

export interface ScoreGenerationOptions {
  /** ids at which an answer ends; neither they nor what follows is counted */
  stop: number[];
  /** prompts per call; default 32 */
  batchSize?: number;
  signal?: AbortSignal;
  onProgress?(done: number, total: number): void;
}

/**
 * `exact_match`, and `symbol_error_rate`: edits from the generated to the right answer over the symbols of the right
 * answer (word or phoneme error rate, above 1 when far too long).
 */
export type GenerationScores = Record<"exact_match" | "symbol_error_rate", Score>;

/**
 * Scores what a model writes on its own.
 *
 * @param generate ids that follow each right-padded prompt, as `model.generate`
 * @throws MoeError `no-labels` for no items or an empty answer, `aborted`
 * @example await scoreGeneration((prompt) => model.generate(prompt, { maxTokens: 16 }), items, { stop: [1] })
 */
export async function scoreGeneration(
  generate: (prompt: { ids: number[][]; mask: number[][] }) => Promise<number[][]>,
  items: readonly GenerationItem[],
  { stop, batchSize = 32, signal, onProgress }: ScoreGenerationOptions,
): Promise<GenerationScores> {
  if (items.length === 0)
    throw new MoeError("no-labels",
      "score: the task has no items; accepted is one or more. Check the part and its size.");
  const empty = items.findIndex(({ answer }) => answer.length === 0);
  if (empty >= 0)
    throw new MoeError("no-labels",
      `score: item ${empty} has an empty answer; accepted is at least one symbol. Check how the answers are cut.`);
  const edits: number[] = [];
  for (let start = 0; start < items.length; start += batchSize) {
    if (signal?.aborted)
      throw new MoeError("aborted", `score: stopped after ${start} of ${items.length} items at the caller's request.`);
    const chunk = items.slice(start, start + batchSize);
    const width = Math.max(...chunk.map(({ prompt }) => prompt.length));
    const written = await generate({
      ids: chunk.map(({ prompt }) => [...prompt, ...new Array<number>(width - prompt.length).fill(0)]),
      mask: chunk.map(({ prompt }) => Array.from({ length: width }, (_, t) => (t < prompt.length ? 1 : 0))),
    });
    chunk.forEach(({ answer }, row) => edits.push(symbolEdits(upTo(written[row], stop), answer)));
    onProgress?.(Math.min(start + batchSize, items.length), items.length);
  }
  return {
    exact_match: itemScore("exact_match", edits.map((count) => (count === 0 ? 1 : 0))),
    symbol_error_rate: tokenScore("symbol_error_rate", edits, items.map(({ answer }) => answer.length)),
  };
}

/**
 * Insertions, deletions and substitutions between two sequences of ids (Levenshtein).
 * @example symbolEdits([7, 90000, 3], [7, 3])  // 1
 */
export function symbolEdits(seen: readonly number[], wanted: readonly number[]): number {
  // the library compares UTF-16 units; ids of large vocabularies do not fit one
  const unit = new Map<number, string>();
  const text = (ids: readonly number[]): string =>
    ids.map((id) => unit.get(id) ?? (unit.set(id, String.fromCharCode(unit.size)), unit.get(id)!)).join("");
  return distance(text(seen), text(wanted));
}

function upTo(ids: readonly number[], stop: readonly number[]): readonly number[] {
  const end = ids.findIndex((id) => stop.includes(id));
  return end < 0 ? ids : ids.slice(0, end);
}
