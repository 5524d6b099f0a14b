/**
 * What a task asks for: `generate` several symbols, one `label` of a closed set, or a `choice` among options of the
 * prompt.
 */
export type TaskKind = "generate" | "label" | "choice";
export type MetricName = "exact_match" | "token_accuracy" | "symbol_error_rate" | "token_f1" | "macro_f1";
export type Part = "train" | "dev" | "test";
export type Sizes = Record<Part, number>;

/** A task as it is declared in `data/tasks/NAME.json`. */
export interface TaskDefinition {
  name: string;
  kind: TaskKind;
  summary: string;
  /** Which task of the M-SMoE paper it stands for, if any. */
  mirrors?: string;
  sources: { package: string; data: string; license: string; optional?: boolean }[];
  /** Name of the function in `sdk/text/tasks/` that builds the items. */
  builder: string;
  construction: string;
  /** `key` is hashed: what two items may not share across parts. `rule` is `hash` or `blocks`, see `split.ts`. */
  split: { rule: "hash" | "blocks"; key: string };
  /** At most this many items; fewer where the source ends or classes are cut to equal size. */
  sizes: Sizes;
  prompt: string;
  answer: string;
  /** The closed set of answers, or of tags in the prompt, each one symbol. */
  symbols?: string[];
  /** Extra alphabets used: `letters`, `phones`, `prose`. */
  alphabets: ("letters" | "phones" | "prose")[];
  /** The first is the one that the task is judged by. */
  metrics: MetricName[];
  /** Names of `sdk/text/baselines/`. */
  baselines: string[];
  note?: string;
}

/**
 * One question. Each element is a symbol `<x>` of the vocabulary or a word of prose with the space before it (" the").
 * Joined without anything between, the elements are the text form, which the tokenizer encodes to the same ids.
 */
export interface Item {
  id: string;
  prompt: string[];
  answer: string[];
  /** What the split was made by: word, lemma, speech. */
  document: string;
}

export interface Task {
  definition: TaskDefinition;
  train: Item[];
  dev: Item[];
  test: Item[];
}
