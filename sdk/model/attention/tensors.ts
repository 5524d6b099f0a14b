import type { AttentionSpec, SoftmaxAttentionSpec } from "../attention-spec.js";
import type { ExpectedTensor } from "../expected-tensor.js";

/**
 * The weights of a block that mixes tokens, by kind; names stand under `name` ("attention" or "cross").
 *
 * @param D model width
 */
export function attentionTensors(name: string, spec: AttentionSpec, D: number): ExpectedTensor[] {
  const list = (byKind[spec.kind] as (spec: AttentionSpec, D: number) => Entry[])(spec, D);
  return list.flatMap(([part, shape, extra]) => {
    const own: ExpectedTensor = { name: `${name}.${part}`, shape };
    if (typeof extra === "number") own.start = extra;
    return extra === true ? [own, { name: `${name}.${part}.bias`, shape: [shape[0]], start: 0 }] : [own];
  });
}

/** name, shape, and a value to start at, or whether a bias goes with it */
type Entry = [part: string, shape: number[], startOrBias?: number | boolean];

const byKind: { [K in AttentionSpec["kind"]]: (spec: Extract<AttentionSpec, { kind: K }>, D: number) => Entry[] } = {
  softmax: (spec, D) => {
    const { heads: H, kvHeads: G, headDim: d, bias, qkNorm } = spec;
    return [["q", [H * d * (spec.outputGate ? 2 : 1), D], bias.q], ["k", [G * d, D], bias.k], ["v", [G * d, D], bias.v],
      ["o", [D, H * d], bias.o], ...(qkNorm?.gain ? normsOfHeads(spec) : []),
      ...(spec.sinks ? [["sinks", [H], 0] as Entry] : []),
      ...(spec.relative?.own ? [["relativeBias", [spec.relative.buckets, H]] as Entry] : [])];
  },
  latent: (
    { heads: H, qRank, kvRank, nopeDim, ropeDim, valueDim, bias },
    D,
  ) => [
    ...(qRank
      ? [["qDown", [qRank, D], bias.q], ["qNorm", [qRank], 1], ["qUp", [H * (nopeDim + ropeDim), qRank]]] as Entry[]
      : [["q", [H * (nopeDim + ropeDim), D]] as Entry]),
    ["kvDown", [kvRank + ropeDim, D], bias.kv],
    ["kvNorm", [kvRank], 1],
    ["kv", [H * (nopeDim + valueDim), kvRank]],
    ["o", [D, H * valueDim], bias.o],
  ],
  lightning: (
    { heads: H, headDim: d },
    D,
  ) => [["qkv", [3 * H * d, D]], ["norm", [H * d], 1], ["outputGate", [H * d, D]], ["out", [D, H * d]]],
  delta: ({ keyHeads, valueHeads, keyDim, valueDim, kernel, projections }, D) => {
    const keys = keyHeads * keyDim, values = valueHeads * valueDim;
    const into: Entry[] = projections === "apart"
      ? [["qkv", [2 * keys + values, D]], ["z", [values, D]], ["b", [valueHeads, D]], ["a", [valueHeads, D]]]
      : [["qkvz", [2 * keys + 2 * values, D]], ["ba", [2 * valueHeads, D]]];
    return [...into, ["convolution", [2 * keys + values, kernel]], ["logDecay", [valueHeads], 0], ["stepBias", [
      valueHeads,
    ], 1], ["norm", [valueDim], 1], ["out", [D, values]]];
  },
  "routed-heads": (
    { experts: E, kvHeads: G, headDim: d },
    D,
  ) => [["router", [E, D]], ["q", [E, G * d, D]], ["k", [G * d, D]], ["v", [G * d, D]], ["o", [E, D, G * d]], [
    "outputBias",
    [D],
    0,
  ]],
  convolution: (
    { kernel, bias },
    D,
  ) => [["in", [3 * D, D], bias], ["convolution", [D, kernel], bias], ["out", [D, D], bias]],
  mamba: (
    { inner, state, kernel, stepRank, bias, eps },
    D,
  ) => [["in", [2 * inner, D], bias.in], ["convolution", [inner, kernel], bias.convolution], ["select", [
    stepRank + 2 * state,
    inner,
  ]], ["step", [inner, stepRank], true],
    ...(eps === undefined
      ? []
      : [["stepNorm", [stepRank], 1], ["bNorm", [state], 1], ["cNorm", [state], 1]] as Entry[]), ["logDecay", [inner,
    state], 0], ["skip", [inner], 1], ["out", [D, inner], bias.in]],
  "mamba-2": ({ heads: H, headDim, groups, state, kernel, bias }, D) => {
    const inner = H * headDim, mixed = inner + 2 * groups * state;
    return [["in", [inner + mixed + H, D], bias.in], ["convolution", [mixed, kernel], bias.convolution], ["stepBias", [
      H,
    ], 1], ["logDecay", [H], 0], ["skip", [H], 1], ["norm", [inner], 1], ["out", [D, inner], bias.in]];
  },
};

/** A norm that is stored around zero starts there. */
function normsOfHeads({ heads, kvHeads, headDim, qkNorm }: SoftmaxAttentionSpec): Entry[] {
  const each = qkNorm!.over === "head" ? 1 : undefined;
  const start = 1 - (qkNorm!.offset ?? 0);
  return [["qNorm", [(each ?? heads) * headDim], start], ["kNorm", [(each ?? kvHeads) * headDim], start]];
}

/**
 * Query heads and channels per score and per value, for counting products with all earlier tokens; undefined where
 * nothing grows with the text.
 */
export function scoreSize(spec: AttentionSpec):
  | { heads: number; scoreDim: number; valueDim: number; reach?: number }
  | undefined {
  switch (spec.kind) {
    case "softmax":
      return { heads: spec.heads, scoreDim: spec.headDim, valueDim: spec.headDim, reach: spec.window ?? spec.chunk };
    case "latent":
      return { heads: spec.heads, scoreDim: spec.nopeDim + spec.ropeDim, valueDim: spec.valueDim };
    case "routed-heads":
      return { heads: spec.router.topK * spec.kvHeads, scoreDim: spec.headDim, valueDim: spec.headDim };
    default:
      return undefined;
  }
}
