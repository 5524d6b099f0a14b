import type { TaskBatch } from "../../../sdk/evaluate/index.js";
import { Rng } from "../../../sdk/tensor/index.js";
import { type Domain, domainTexts } from "../../../sdk/text/tasks/zero-shot/domain-texts.js";
import type { Tokenizer } from "../../../sdk/text/tokenizer.js";
import { draws, window } from "./recipe.js";

/** Characters that are read of a long text. */
const PASSAGE = 2000;

/**
 * Draws windows of running text, the end symbol before each text. Texts are dealt out to the draws in turn, so that no
 * two share one.
 */
export function drawWindows(
  domain: Domain,
  part: "train" | "test",
  count: number,
  draw: number,
  tokenizer: Tokenizer,
): number[][] {
  const rng = new Rng(`windows ${domain} ${part} ${draw}`);
  const texts = rng.shuffle(domainTexts(domain)[part].filter((_, index) => index % draws.length === draw - 1));
  const stream: number[] = [];
  for (const { text } of texts) {
    if (stream.length > 4 * count * (window + 1)) break;
    const start = rng.int(Math.max(1, text.length - PASSAGE));
    stream.push(...tokenizer.encode(text.slice(start, start + PASSAGE)));
  }
  const all = Array.from({ length: Math.floor(stream.length / (window + 1)) },
    (_, at) => stream.slice(at * (window + 1), (at + 1) * (window + 1)));
  return rng.shuffle(all).slice(0, count);
}

export function batchOf(rows: readonly number[][]): TaskBatch {
  return { ids: rows.map((row) => row.slice(0, -1)), mask: rows.map((row) => row.slice(1).map(() => 1)),
    labels: rows.map((row) => row.slice(1)) };
}
