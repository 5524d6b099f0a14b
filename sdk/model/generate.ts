import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { ready, Rng, tf } from "../tensor/index.js";
import { Activations } from "./activations.js";
import { flattenRows, type Rows } from "./batch.js";
import { embed, finalNorm, head } from "./ends.js";
import { layerPass } from "./layer-pass.js";
import { keyMaskOf, type LayerCache, type Pass } from "./pass.js";
import type { Resident } from "./resident.js";
import { seesLaterTokens } from "./router-spec.js";
import { checkSampling, draw, nextProbabilities, penalized, type Sampling, temperatureOf } from "./sampling.js";
import { layerId, type ModelSpec } from "./spec.js";

export interface GenerateOptions extends Sampling {
  /** tokens to add at most; default 32 */
  maxTokens?: number;
  /** a row ends after one of these; default the model's end tokens; [] never ends early */
  stop?: number[];
  /** default true, as in `forward`; with the cache a step sees one token, so only prompt and encoder can overflow */
  capacity?: boolean;
  /** called with each token as it is chosen; true ends the row with it */
  onToken?(token: { row: number; id: number }): boolean | void;
  signal?: AbortSignal;
}

/**
 * Continues each prompt token by token, with cached keys and values: with the most likely token (ties go to the lower
 * id), or with one that is drawn, see `Sampling`.
 * An encoder-decoder model reads the prompt in its encoder and begins with its start token.
 *
 * @param prompt rows, padded on the right or on the left, with mask; rows of a decoder-only model may differ in length
 * @returns the added ids of each row, its stop token included
 * @throws MoeError `bad-sampling`, `bad-batch`, `no-generation`, `aborted`
 */
export async function generate(
  spec: ModelSpec,
  resident: Resident,
  prompt: { ids: number[][]; mask?: number[][] },
  options: GenerateOptions = {},
): Promise<number[][]> {
  checkSampling(options);
  await ready();
  refuseTwoSided(spec);
  flattenRows(prompt.ids, prompt.mask, spec, "ids");
  const answers: number[][] = prompt.ids.map(() => []);
  if (spec.encoder) {
    await generateTogether(prompt.ids.map((_, row) => row), prompt, spec, resident, options, answers);
    return answers;
  }
  // rows of one length share positions, so they can share a cache
  const byLength = new Map<number, number[]>();
  prompt.ids.forEach((ids, row) => {
    const length = prompt.mask ? prompt.mask[row].reduce((sum, real) => sum + (real ? 1 : 0), 0) : ids.length;
    byLength.set(length, [...(byLength.get(length) ?? []), row]);
  });
  for (const rows of byLength.values()) {
    await generateTogether(rows, {
      ids: rows.map((row) => prompt.ids[row].filter((_, t) => !prompt.mask || prompt.mask[row][t])),
    }, spec, resident, options, answers);
  }
  return answers;
}

/** A decoder that sees what comes after a token cannot continue a text. */
function refuseTwoSided(spec: ModelSpec): void {
  const choosing = spec.decoder.layers.findIndex(({ ffn }) => ffn?.kind === "moe" && seesLaterTokens(ffn.router));
  if (choosing >= 0)
    throw new MoeError("no-generation",
      `generate: the router of ${
        layerId("decoder", choosing)
      } sees later tokens, which a text that grows does not have `
        + "yet; accepted are causal routers. Use forward, or another choice.");
  if (spec.decoder.layers.every(({ attention }) => !attention || !("causal" in attention) || attention.causal)) return;
  throw new MoeError("no-generation",
    `generate: family "${spec.family}" sees tokens on both sides, it fills in masked tokens; accepted `
      + "are causal models. Use forward.");
}

async function generateTogether(
  rows: number[],
  prompt: { ids: number[][]; mask?: number[][] },
  spec: ModelSpec,
  resident: Resident,
  options: GenerateOptions,
  answers: number[][],
): Promise<void> {
  const { maxTokens = 32, stop = spec.tokens.eos, onToken, signal } = options;
  const side = flattenRows(prompt.ids, prompt.mask, spec, "ids");
  const choose = chooser(rows, options);
  // of an encoder-decoder model the decoder's own tokens alone count as seen
  const before = (at: number) => (spec.encoder ? [spec.tokens.decoderStart ?? 0] : prompt.ids[at]);
  const caches: LayerCache[] = spec.decoder.layers.map(() => ({}));
  const held: Tensor[] = [];
  try {
    const extra: Partial<Pass> = {};
    let next = side;
    if (spec.encoder) {
      const memory = await runOnce("encoder", side, spec, resident, { capacity: options.capacity ?? true,
        keyMask: keyMaskOf(side) });
      extra.memory = tf.reshape(memory, [side.B, side.T, spec.width]);
      extra.memoryMask = keyMaskOf(side);
      held.push(memory, extra.memory, ...(extra.memoryMask ? [extra.memoryMask] : []));
      next = column(rows.map(() => spec.tokens.decoderStart ?? 0));
    }
    const open = new Set(rows);
    for (let step = 0, offset = 0; step < maxTokens && open.size > 0; step++) {
      if (signal?.aborted)
        throw new MoeError("aborted", `generate: stopped after ${step} tokens at the caller's request.`);
      const x = await runOnce("decoder", next, spec, resident, { ...extra, offset, caches,
        capacity: options.capacity ?? true });
      const top = await resident.take("head");
      const logits = tf.tidy(() => {
        const last = tf.slice(tf.reshape(x, [next.B, next.T, spec.width]), [0, next.T - 1, 0], [next.B, 1, spec.width]);
        return head(tf.reshape(last, [next.B, spec.width]), spec, top);
      });
      resident.release("head");
      x.dispose();
      const ids = await choose(logits, (at) => [...before(at), ...answers[rows[at]]]);
      offset += next.T;
      rows.forEach((row, at) => {
        if (!open.has(row)) return;
        answers[row].push(ids[at]);
        if (onToken?.({ row, id: ids[at] }) || stop.includes(ids[at])) open.delete(row);
      });
      next = column(ids);
    }
  } finally {
    tf.dispose(held);
    for (const cache of caches) tf.dispose(Object.values(cache));
  }
}

/** The next token of each row from logits [B, V], which it gives back. @param seen ids of a row so far */
type Choose = (logits: Tensor, seen: (at: number) => number[]) => Promise<number[]>;

function chooser(rows: number[], sampling: Sampling): Choose {
  const { repetitionPenalty = 1, seed = 0 } = sampling;
  const greedy = temperatureOf(sampling) === 0;
  const rngs = rows.map((row) => new Rng(seed).fork(`row ${row}`));
  return async (logits, seen) => {
    try {
      if (greedy && repetitionPenalty === 1) {
        const best = tf.tidy(() => tf.argMax(logits, -1));
        try {
          return Array.from(await best.data());
        } finally {
          best.dispose();
        }
      }
      const [B, V] = logits.shape;
      const all = await logits.data();
      return Array.from({ length: B }, (_, at) => {
        const row = all.slice(at * V, (at + 1) * V);
        if (!greedy) return draw(nextProbabilities(row, seen(at), sampling), rngs[at]);
        const scores = penalized(row, seen(at), repetitionPenalty);
        return scores.reduce((best, score, id) => (score > scores[best] ? id : best), 0);
      });
    } finally {
      logits.dispose();
    }
  };
}

/** One pass of one stack over some rows, final norm included: [N, D]. */
async function runOnce(
  stack: "encoder" | "decoder",
  rows: Rows,
  spec: ModelSpec,
  resident: Resident,
  extra: Partial<Pass>,
): Promise<Tensor> {
  const top = new Map([...(await resident.take("embedding")), ...(await resident.take("finalNorm"))]);
  const pass: Pass = { B: rows.B, T: rows.T, offset: 0, ids: rows.ids, real: rows.real, capacity: true, ...extra };
  const activations = new Activations(resident.budget);
  try {
    const traveller = { x: await activations.hold(tf.tidy(() => embed(rows, spec, top, stack, pass.offset))), pass };
    for (let index = 0; index < spec[stack]!.layers.length; index++)
      await layerPass({ resident, spec, stack, index, activations }, [traveller]);
    const x = await traveller.x.take();
    const y = tf.tidy(() => tf.clone(finalNorm(x, spec, top, stack)));
    x.dispose();
    return y;
  } finally {
    for (const end of ["embedding", "finalNorm"]) resident.release(end);
    await activations.close();
    tf.dispose([pass.bias, pass.carried, extra.keyMask].filter((tensor) => tensor !== undefined));
  }
}

function column(ids: number[]): Rows {
  return { B: ids.length, T: 1, ids: Int32Array.from(ids) };
}
