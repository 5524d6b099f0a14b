import { MoeError } from "../errors.js";
import { symbol } from "./tasks/symbols.js";
import type { Item, Task } from "./tasks/task.js";

const PAD = 0;
const EOS = 1;
const NO_LABEL = -1;

/** What encoding items asks of a tokenizer, as `loadTokenizer` gives it. */
export interface PieceEncoder {
  encode(text: string, options?: { specialTokens?: boolean }): number[];
}

export interface EncodedItems {
  /** Prompts: the symbol of the task, then the prompt. */
  ids: number[][];
  /** Answers, each closed by the end symbol 1. */
  answers: number[][];
}

/** The text form of a prompt, which the tokenizer encodes to the same ids as `encodeItems`. */
export function promptText(task: Task, item: Item): string {
  return [symbol(task.definition.name), ...item.prompt].join("");
}

/**
 * Encodes items element by element, each different element once.
 *
 * @throws MoeError `unknown-symbol` when the tokenizer does not know a symbol of the task
 */
export function encodeItems(task: Task, items: readonly Item[], tokenizer: PieceEncoder): EncodedItems {
  const known = new Map<string, number[]>();
  const encode = (element: string): number[] => {
    let ids = known.get(element);
    if (!ids) {
      ids = tokenizer.encode(element, { specialTokens: false });
      if (element.startsWith("<") && ids.length !== 1) {
        throw new MoeError("unknown-symbol",
          `encode items: ${element} of task ${task.definition.name} is ${ids.length} pieces in this tokenizer; `
            + "it must be one. Use the tokenizer of a model that was trained on this task.");
      }
      known.set(element, ids);
    }
    return ids;
  };
  const start = encode(symbol(task.definition.name));
  return {
    ids: items.map(({ prompt }) => [...start, ...prompt.flatMap(encode)]),
    answers: items.map(({ answer }) => [...answer.flatMap(encode), EOS]),
  };
}

export interface Batch {
  /** Prompts, right-padded with 0. */
  ids: number[][];
  /** 1 where `ids` is a symbol, 0 where it is padding. */
  mask: number[][];
  /** Answers moved right by one, beginning with 0, as T5 does. */
  decoderIds: number[][];
  /** Answers, right-padded with -1. */
  labels: number[][];
  /** Which of the given items the rows are. */
  rows: number[];
}

export interface BatchOptions {
  /** Rows of a batch; the last one may have fewer. */
  size: number;
  /** Seeded generator in [0, 1). With it the order is random; without it the given order is kept. */
  rng?: { next(): number };
  /** Sort by length inside this many batches, so that little padding is computed. Default 8 with `rng`, otherwise 1. */
  bucket?: number;
}

/** Yields every item once, in right-padded batches. */
export function* batches(items: EncodedItems, { size, rng, bucket = rng ? 8 : 1 }: BatchOptions): Generator<Batch> {
  if (!Number.isInteger(size) || size < 1)
    throw new MoeError("batch-size",
      `batch: size is ${size}; accepted is a whole number from 1. Give the rows of a batch.`);
  const order = items.ids.map((_, row) => row);
  if (rng) shuffle(order, rng);
  const length = (row: number) => items.ids[row].length + items.answers[row].length;
  for (let start = 0; start < order.length; start += size * bucket) {
    const pool = order.slice(start, start + size * bucket);
    if (bucket > 1) pool.sort((a, b) => length(a) - length(b));
    const starts = Array.from({ length: Math.ceil(pool.length / size) }, (_, i) => i * size);
    if (rng) shuffle(starts, rng);
    for (const at of starts) yield toBatch(items, pool.slice(at, at + size));
  }
}

/** Pads the given rows of the items to one batch. */
export function toBatch(items: EncodedItems, rows: number[]): Batch {
  const prompts = rows.map((row) => items.ids[row]);
  const answers = rows.map((row) => items.answers[row]);
  return {
    ids: pad(prompts, PAD),
    mask: pad(prompts.map((ids) => ids.map(() => 1)), 0),
    decoderIds: pad(answers.map((answer) => [PAD, ...answer.slice(0, -1)]), PAD),
    labels: pad(answers, NO_LABEL),
    rows,
  };
}

function pad(rows: number[][], value: number): number[][] {
  const width = Math.max(...rows.map((row) => row.length));
  return rows.map((row) => [...row, ...new Array<number>(width - row.length).fill(value)]);
}

function shuffle(array: number[], rng: { next(): number }): void {
  for (let i = array.length - 1; i > 0; i--) {
    const j = Math.floor(rng.next() * (i + 1));
    [array[i], array[j]] = [array[j], array[i]];
  }
}
