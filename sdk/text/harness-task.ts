export type OutputType = "multiple_choice" | "loglikelihood" | "loglikelihood_rolling" | "generate_until";

/** The metrics of each kind of task. */
export const METRICS_OF = {
  multiple_choice: ["acc", "acc_norm", "acc_mutual_info"],
  loglikelihood: ["perplexity", "acc"],
  loglikelihood_rolling: ["word_perplexity", "byte_perplexity", "bits_per_byte"],
  generate_until: ["exact_match"],
} as const;

export type HarnessMetric = (typeof METRICS_OF)[OutputType][number];

/** A task in the terms of lm-evaluation-harness; D is a document. */
export interface HarnessTask<D = any> {
  name: string;
  output: OutputType;
  documents: readonly D[];
  prompt(document: D): string;
  /** the right text; for multiple choice the index of the right choice */
  target(document: D): string | number;
  /** of multiple choice, without a leading space */
  choices?(document: D): string[];
  metrics: readonly HarnessMetric[];
  exactMatch?: ExactMatchOptions;
  /** what of a generated text is the answer; default all of it, under the filter name "none" */
  filters?: readonly { name: string; pattern: string | RegExp; match?: number }[];
  generation?: { until: string[]; maxTokens?: number };
  /**
   * examples before the question: the first ones of `from` (default `documents`), without the question itself; default
   * 0
   */
  shots?: { count: number; from?: readonly D[] };
  /** before everything; default "" */
  description?: string;
  /** between question and answer; default " " */
  targetDelimiter?: string;
  /** between examples; default two line ends */
  shotDelimiter?: string;
  /** default 1 */
  version?: number;
  /** kept with the results, to tell what was run */
  config?: Record<string, unknown>;
}

/** A model as these tasks see it. */
export interface HarnessModel {
  /**
   * of each continuation, given its context ("" is the model's first token alone), and whether it is the most likely
   * one at every token
   */
  logLikelihood(requests: readonly { context: string; continuation: string }[]): Promise<
    { logLikelihood: number; greedy: boolean }[]
  >;
  /** of whole texts, in windows where they are long */
  rolling(texts: readonly string[]): Promise<number[]>;
  generate(requests: readonly { context: string; until: string[]; maxTokens?: number }[]): Promise<string[]>;
}

/** One document, what was asked and answered. */
export interface Sample {
  doc_id: number;
  target: string | number;
  arguments: unknown[][];
  resps: unknown[];
  filtered_resps: unknown[];
  filter: string;
  /** the value of each metric; a pair [log-likelihood, size] for metrics over words and bytes */
  values: Partial<Record<HarnessMetric, number | readonly [number, number]>>;
}

export interface ExactMatchOptions {
  /** parts matching any of these are removed from both sides first */
  ignorePatterns?: readonly (string | RegExp)[];
  ignoreCase?: boolean;
  /** removes ASCII punctuation */
  ignorePunctuation?: boolean;
  /** removes the digits 0 to 9 */
  ignoreNumbers?: boolean;
}
