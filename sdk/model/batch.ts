import { MoeError } from "../errors.js";
import type { ModelSpec } from "./spec.js";

/** Rows of token ids, right-padded to one length; masks hold 1 for real tokens and 0 for padding. */
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
}

const RIGHT_PAD = "rows of one length, padded on the right, mask 1 for real tokens and 0 for padding";

/** Checks one side of a batch against the vocabulary. @throws MoeError `bad-batch` */
export function flattenRows(ids: number[][], mask: number[][] | undefined, spec: ModelSpec, name: string): Rows {
  const B = ids?.length ?? 0, T = ids?.[0]?.length ?? 0;
  if (B === 0 || T === 0) throw new MoeError("bad-batch", `forward: ${name} is empty; accepted are ${RIGHT_PAD}.`);
  const flat = new Int32Array(B * T);
  let real: Uint8Array | undefined;
  for (let b = 0; b < B; b++) {
    if (ids[b].length !== T || (mask && mask[b]?.length !== T)) {
      throw new MoeError("bad-batch", `forward: row ${b} of ${name} has ${ids[b].length} ids${mask ? ` and ${mask[b]?.length} mask values` : ""}, row 0 has ${T} ids; accepted are ${RIGHT_PAD}.`);
    }
    for (let t = 0; t < T; t++) {
      const id = ids[b][t];
      if (!Number.isInteger(id) || id < 0 || id >= spec.vocab) {
        throw new MoeError("bad-batch", `forward: ${name}[${b}][${t}] is ${id}; accepted are whole numbers from 0 to ${spec.vocab - 1}. Check that tokenizer and model belong together.`);
      }
      flat[b * T + t] = id;
      if (mask && !mask[b][t]) {
        real ??= new Uint8Array(B * T).fill(1);
        real[b * T + t] = 0;
      } else if (real && t > 0 && real[b * T + t - 1] === 0) {
        throw new MoeError("bad-batch", `forward: row ${b} of ${name} has a real token after padding at ${t}; accepted are ${RIGHT_PAD}.`);
      }
    }
    if (mask && !mask[b][0]) throw new MoeError("bad-batch", `forward: row ${b} of ${name} is padding alone; accepted are rows with at least one real token.`);
  }
  return { B, T, ids: flat, real };
}

/** Checks a whole batch: an encoder-decoder model needs `decoderIds`, a decoder-only one takes none. */
export function flattenBatch(batch: Batch, spec: ModelSpec): { encoder?: Rows; decoder: Rows } {
  const first = flattenRows(batch.ids, batch.mask, spec, "ids");
  if (!spec.encoder) return { decoder: { ...first, ...typesOf(batch, first, spec) } };
  if (!batch.decoderIds) {
    throw new MoeError("bad-batch", `forward: decoderIds is missing; family "${spec.family}" is an encoder-decoder. Give one row per input row, beginning with token ${spec.tokens.decoderStart}.`);
  }
  const decoder = flattenRows(batch.decoderIds, batch.decoderMask, spec, "decoderIds");
  if (decoder.B !== first.B) throw new MoeError("bad-batch", `forward: decoderIds has ${decoder.B} rows, ids has ${first.B}; accepted is the same number.`);
  return { encoder: first, decoder };
}

function typesOf({ tokenTypes }: Batch, { B, T }: Rows, spec: ModelSpec): { types?: Int32Array } {
  if (!tokenTypes) return {};
  const kinds = spec.decoder.embedding.tokenTypes ?? 0;
  const types = tokenTypes.flat();
  if (types.length !== B * T || types.some((type) => !Number.isInteger(type) || type < 0 || type >= kinds)) {
    throw new MoeError("bad-batch", `forward: tokenTypes has ${types.length} numbers${types.length ? ` from ${Math.min(...types)} to ${Math.max(...types)}` : ""}; accepted are ${B * T} whole numbers below ${kinds}, one per token. Family "${spec.family}" tells ${kinds || "no"} segments apart.`);
  }
  return { types: Int32Array.from(types) };
}
