import type { Tensor } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { tf } from "../tensor/index.js";
import type { ModelSpec } from "./spec.js";

/**
 * Rows of token ids, padded to one length on the right or on the left; masks hold 1 for real tokens and 0 for padding.
 * Positions are counted from the first real token of a row, as transformers does where it generates.
 */
export interface Batch {
  /** [B][T] */
  ids: number[][];
  /** [B][T]; absent: no padding */
  mask?: number[][];
  /** [B][T] segment of each token, for models that tell segments apart (BERT); absent: all 0 */
  tokenTypes?: number[][];
  /** [B][U] what the decoder has seen so far, beginning with its start token; encoder-decoder models only */
  decoderIds?: number[][];
  /** [B][U] */
  decoderMask?: number[][];
}

/** One side of a batch, flat and checked: B rows of T tokens. */
export interface Rows {
  B: number;
  T: number;
  ids: Int32Array;
  /** 1 real, 0 padding; undefined when every token is real */
  real?: Uint8Array;
  /** segments; undefined when all are 0 */
  types?: Int32Array;
  /**
   * where each token of the batch as it was given stands here: padding on the left was moved to the right; undefined
   * when all stand where they were
   */
  places?: Int32Array;
}

const PADDED = "rows of one length, padded on the right or on the left, mask 1 for real tokens and 0 for padding";

/** Checks one side of a batch against the vocabulary. @throws MoeError `bad-batch` */
export function flattenRows(ids: number[][], mask: number[][] | undefined, spec: ModelSpec, name: string): Rows {
  const B = ids?.length ?? 0, T = ids?.[0]?.length ?? 0;
  if (B === 0 || T === 0) throw new MoeError("bad-batch", `forward: ${name} is empty; accepted are ${PADDED}.`);
  const flat = new Int32Array(B * T);
  let real: Uint8Array | undefined, places: Int32Array | undefined;
  for (let b = 0; b < B; b++) {
    if (ids[b].length !== T || (mask && mask[b]?.length !== T)) {
      throw new MoeError("bad-batch",
        `forward: row ${b} of ${name} has ${ids[b].length} `
          + `ids${mask ? ` and ${mask[b]?.length} mask values` : ""}, row 0 has ${T} ids; accepted are ${PADDED}.`);
    }
    const { start, end } = realTokens(mask?.[b], T, `row ${b} of ${name}`);
    for (let t = 0; t < T; t++) {
      const id = ids[b][t];
      if (!Number.isInteger(id) || id < 0 || id >= spec.vocab) {
        throw new MoeError("bad-batch",
          `forward: ${name}[${b}][${t}] is ${id}; accepted are whole numbers from 0 to ${spec.vocab - 1}. `
            + "Check that tokenizer and model belong together.");
      }
      flat[b * T + ((t - start + T) % T)] = id;
    }
    if (end - start < T) (real ??= new Uint8Array(B * T).fill(1)).fill(0, b * T + end - start, (b + 1) * T);
    if (start === 0) continue;
    if (countsFromTheEdge(spec))
      throw new MoeError("bad-batch",
        `forward: row ${b} of ${name} is padded on the left, and family "${spec.family}" counts positions `
          + "from the beginning of a row; accepted is padding on the right. Pad on the right.");
    places ??= Int32Array.from({ length: B * T }, (_, n) => n);
    for (let t = 0; t < T; t++) places[b * T + t] = b * T + ((t - start + T) % T);
  }
  return { B, T, ids: flat, real, ...(places && { places }) };
}

/** From where to where a row's mask is 1. */
function realTokens(mask: number[] | undefined, T: number, row: string): { start: number; end: number } {
  if (!mask) return { start: 0, end: T };
  const start = mask.findIndex((real) => real), end = mask.findLastIndex((real) => real) + 1;
  if (start < 0)
    throw new MoeError("bad-batch",
      `forward: ${row} is padding alone; accepted are rows with at least one real token.`);
  const hole = mask.findIndex((real, t) => !real && t > start && t < end);
  if (hole >= 0)
    throw new MoeError("bad-batch",
      `forward: ${row} has padding at ${hole} between real tokens; accepted are ${PADDED}.`);
  return { start, end };
}

/**
 * Learned positions of a model that sees both sides: the first place of a row is position 0, whether it is padding or
 * not.
 */
function countsFromTheEdge({ decoder }: ModelSpec): boolean {
  return decoder.embedding.position?.kind === "learned"
    && decoder.layers.some(({ attention }) => attention && "causal" in attention && !attention.causal);
}

/** Rows [N, …] in the order of the batch as it was given; a fresh tensor. Differentiable. */
export function inGivenOrder<T extends Tensor>(x: T, { places }: Rows): T {
  return tf.tidy(() => (places ? tf.gather(x, tf.tensor1d(places, "int32")) : tf.clone(x))) as T;
}

/** Checks a whole batch: an encoder-decoder model needs `decoderIds`, a decoder-only one takes none. */
export function flattenBatch(batch: Batch, spec: ModelSpec): { encoder?: Rows; decoder: Rows } {
  const first = flattenRows(batch.ids, batch.mask, spec, "ids");
  if (!spec.encoder) return { decoder: { ...first, ...typesOf(batch, first, spec) } };
  if (!batch.decoderIds) {
    throw new MoeError("bad-batch",
      `forward: decoderIds is missing; family "${spec.family}" is an encoder-decoder. Give one row per `
        + `input row, beginning with token ${spec.tokens.decoderStart}.`);
  }
  const decoder = flattenRows(batch.decoderIds, batch.decoderMask, spec, "decoderIds");
  if (decoder.B !== first.B)
    throw new MoeError("bad-batch",
      `forward: decoderIds has ${decoder.B} rows, ids has ${first.B}; accepted is the same number.`);
  return { encoder: first, decoder };
}

function typesOf({ tokenTypes }: Batch, { B, T, places }: Rows, spec: ModelSpec): { types?: Int32Array } {
  if (!tokenTypes) return {};
  const kinds = spec.decoder.embedding.tokenTypes ?? 0;
  const types = tokenTypes.flat();
  if (types.length !== B * T || types.some((type) => !Number.isInteger(type) || type < 0 || type >= kinds)) {
    throw new MoeError("bad-batch",
      `forward: tokenTypes has ${types.length} `
        + `numbers${types.length ? ` from ${Math.min(...types)} to ` + `${Math.max(...types)}` : ""}; accepted are `
        + `${B * T} whole numbers below ${kinds}, one per token. Family "${spec.family}" tells `
        + `${kinds || "no"} segments apart.`);
  }
  const placed = new Int32Array(B * T);
  types.forEach((type, n) => (placed[places?.[n] ?? n] = type));
  return { types: placed };
}

/** A batch with what the decoder should say: labels [B][U], -1 where nothing is asked. */
export interface TrainingBatch extends Batch {
  labels: number[][];
}
