import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import type { ModelSpec } from "../../model/spec.js";
import { crossEntropy, tf } from "../../tensor/index.js";
import type { HarnessModel } from "../../text/harness-task.js";
import { textStream } from "../../text/text-stream.js";
import { eachLabelledLogits, type LogitsModel, type TaskBatch } from "../teacher-logits.js";
import { encodePair, type PairEncoder } from "./encode-pair.js";
import { disjointWindow, rollingWindows } from "./rolling-windows.js";

export interface LanguageModelOptions {
  /** tokens that the model reads at once; longer contexts lose their beginning; default 2048 */
  length?: number;
  /** rows per forward pass; default 8 */
  batchSize?: number;
  /** what a generated text may have at most; default 256 tokens */
  maxTokens?: number;
  signal?: AbortSignal;
}

/** What is needed of a model and of its tokenizer. */
export type ScoredModel = LogitsModel & { spec: Pick<ModelSpec, "tokens" | "encoder">;
  generate(
    prompt: { ids: number[][]; mask?: number[][] },
    options: { maxTokens: number; signal?: AbortSignal; onToken(token: { id: number }): boolean },
  ): Promise<number[][]> };
export type TextCodec = PairEncoder & { decode(ids: ArrayLike<number>, options?: { skipSpecial?: boolean }): string };

/** One row: the tokens given, and those whose probability is asked. */
type Pair = [context: number[], continuation: number[]];

/**
 * Lets a model answer the tasks of lm-evaluation-harness, by its conventions: see `encodePair` and `rollingWindows`.
 * The prefix token is the model's begin token, else its end token.
 *
 * @throws MoeError `no-rolling` when an encoder-decoder model is asked for whole texts
 * @example const samples = await runTask(task, languageModel(model, tokenizer));
 */
export function languageModel(
  model: ScoredModel,
  tokenizer: TextCodec,
  { length = 2048, batchSize = 8, maxTokens = 256, signal }: LanguageModelOptions = {},
): HarnessModel {
  const { tokens, encoder } = model.spec;
  const prefix = tokens.bos ?? tokens.eos[0] ?? tokens.decoderStart ?? 0;

  async function score(pairs: Pair[]): Promise<{ logLikelihood: number; greedy: boolean }[]> {
    const rows = pairs.map((pair) => row(pair, encoder ? tokens.decoderStart ?? 0 : undefined, length));
    const batches = Array.from({ length: Math.ceil(rows.length / batchSize) },
      (_, at) => batchOf(rows.slice(at * batchSize, (at + 1) * batchSize)));
    const scores: { logLikelihood: number; greedy: boolean }[] = [];
    await eachLabelledLogits(model, batches,
      async (logits, at) => void scores.push(...(await scoreRows(logits, batches[at]))), { signal });
    return scores;
  }

  return {
    logLikelihood: (requests) =>
      score(
        requests.map(({ context, continuation }) =>
          encodePair(tokenizer, context, continuation, { prefix, separately: encoder !== undefined })
        ),
      ),
    async rolling(texts) {
      if (encoder)
        throw new MoeError("no-rolling",
          "score: the log-likelihood of a whole text was asked of an encoder-decoder model; accepted are "
            + "decoder-only models. Score a continuation instead.");
      const windows = texts.map((text) =>
        rollingWindows(tokenizer.encode(text, { specialTokens: false }), { prefix, length }).map(disjointWindow)
      );
      const scores = await score(windows.flat());
      let next = 0;
      return windows.map((parts) =>
        scores.slice(next, next += parts.length).reduce((sum, { logLikelihood }) => sum + logLikelihood, 0)
      );
    },
    async generate(requests) {
      const texts: string[] = [];
      for (const { context, until, maxTokens: wanted = maxTokens } of requests) {
        const ids = context === "" ? [prefix] : tokenizer.encode(context);
        const stream = textStream(tokenizer, until);
        await model.generate({ ids: [encoder ? ids : ids.slice(-Math.max(1, length - wanted))] }, {
          maxTokens: wanted,
          ...(signal && { signal }),
          onToken({ id }) {
            stream.add(id);
            return stream.stopped;
          },
        });
        stream.end();
        texts.push(stream.text);
      }
      return texts;
    },
  };
}

interface Row {
  ids: number[];
  decoderIds?: number[];
  labels: number[];
}

/**
 * A pair as the model reads it. A decoder-only model reads both, without the last token; labels stand where it
 * predicts.
 */
function row([context, continuation]: Pair, decoderStart: number | undefined, length: number): Row {
  if (decoderStart !== undefined)
    return { ids: context, decoderIds: [decoderStart, ...continuation.slice(0, -1)], labels: continuation };
  const ids = [...context, ...continuation].slice(-(length + 1)).slice(0, -1);
  const asked = continuation.slice(-ids.length);
  return { ids, labels: [...new Array<number>(ids.length - asked.length).fill(-1), ...asked] };
}

function batchOf(rows: Row[]): TaskBatch {
  const pad = (lists: number[][], value: number): number[][] => {
    const width = Math.max(...lists.map((list) => list.length));
    return lists.map((list) => [...list, ...new Array<number>(width - list.length).fill(value)]);
  };
  return {
    ids: pad(rows.map(({ ids }) => ids), 0),
    mask: pad(rows.map(({ ids }) => ids.map(() => 1)), 0),
    labels: pad(rows.map(({ labels }) => labels), -1),
    ...(rows[0].decoderIds && { decoderIds: pad(rows.map(({ decoderIds }) => decoderIds!), 0) }),
  };
}

async function scoreRows(logits: Tensor, batch: TaskBatch): Promise<{ logLikelihood: number; greedy: boolean }[]> {
  const labels = tf.tensor1d(batch.labels.flat().filter((label) => label >= 0), "int32");
  const [best, loss] = tf.tidy(() => [tf.argMax(logits, -1), crossEntropy(logits, labels)]);
  try {
    const [bestIds, losses] = await Promise.all([best.data(), loss.data()]);
    let position = 0;
    return batch.labels.map((row) => {
      const score = { logLikelihood: 0, greedy: true };
      for (const label of row) {
        if (label < 0) continue;
        score.logLikelihood -= losses[position];
        score.greedy &&= bestIds[position] === label;
        position += 1;
      }
      return score;
    });
  } finally {
    tf.dispose([labels, best, loss]);
  }
}
