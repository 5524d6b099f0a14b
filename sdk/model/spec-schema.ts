import * as v from "valibot";
import type { Activation } from "../tensor/ops/activation.js";
import type { AttentionSpec, ConvolutionSpec, DeltaAttentionSpec, LatentAttentionSpec, LightningAttentionSpec,
  Mamba2Spec, MambaSpec, QkNormSpec, RotaryScaling, RotarySpec, RoutedHeadsSpec, SoftmaxAttentionSpec,
  TemperatureSpec } from "./attention-spec.js";
import { lowRankSparse, withForms } from "./form/low-rank-sparse.js";
import type { Adapted, Blocks, LowRankSparse, MatrixForm, Scaled } from "./form/matrix-form.js";
import type { NormSpec } from "./norm-spec.js";
import type { RouterChoice, RouterScore, RouterSpec } from "./router-spec.js";
import type { DenseExpertSpec, DenseFfnSpec, EmbeddingSpec, ExpertSpec, HeadSpec, LayerSpec, ModelSpec, MoeFfnSpec,
  PositionSpec, ResidualFactors, StackSpec } from "./spec.js";

// The one schema of specs, for what comes from families, from users, from plans and from files. The compiler holds it
// to the interfaces: a key that either side lacks is an error.

type Schema<T> = v.GenericSchema<unknown, T>;
type Entries<T> = { [K in keyof T]-?: Schema<T[K]> };
const object = <T extends object>(entries: Entries<T>): Schema<T> => v.strictObject(entries) as unknown as Schema<T>;
const kinds = <T extends object>(key: string, ...schemas: Schema<T>[]): Schema<T> =>
  v.variant(key, schemas as never) as unknown as Schema<T>;
const maybe = v.optional;

/** Lengths beyond this are no model's: vocabularies have some 300 thousand words, layers 65 thousand numbers. */
const MAX_LENGTH = 2 ** 31;
/** Ten times the experts of all layers of the largest published models together. */
const MAX_EXPERTS = 1_000_000;
const MAX_LAYERS = 10_000;

const number = v.pipe(v.number(), v.finite());
const whole = v.pipe(number, v.integer(), v.minValue(0), v.maxValue(MAX_LENGTH));
const count = v.pipe(number, v.integer(), v.minValue(1), v.maxValue(MAX_LENGTH));
const positive = v.pipe(number, v.gtValue(0));
const flag = v.boolean();
const eps = v.pipe(number, v.minValue(0));
const list = <T>(item: Schema<T>, most = MAX_EXPERTS) => v.pipe(v.array(item), v.maxLength(most));

const activation: Schema<Activation> = v.picklist(["relu", "relu-squared", "silu", "gelu", "gelu-tanh"]);

const norm: Schema<NormSpec> = object({ kind: v.picklist(["rms", "layer"]), eps, offset: maybe(number),
  bias: maybe(flag) });

const carries = { carry: maybe(v.literal(true)), frozen: maybe(v.literal(true)) };
const score = v.variant("kind", [v.strictObject({ kind: v.literal("linear"), ...carries }),
  v.strictObject({ kind: v.literal("mlp"), width: count, activation: v.union([activation, v.literal("tanh")]),
    ...carries }),
  v.strictObject({ kind: v.literal("cosine"), width: count,
    temperature: v.union([v.pipe(number, v.gtValue(0)), v.literal("learned")]), ...carries }),
  v.strictObject({ kind: v.literal("hash"), seed: maybe(whole), ...carries }),
  v.strictObject({ kind: v.literal("random"), draw: v.picklist(["token", "sequence", "batch"]),
    ...carries })]) as Schema<RouterScore>;
const share = v.pipe(number, v.gtValue(0, "accepted is a number above 0"));
const choice = kinds<RouterChoice>("kind", v.strictObject({ kind: v.literal("top"), skip: maybe(whole) }),
  v.strictObject({ kind: v.literal("top-p"),
    p: v.pipe(share, v.maxValue(1, "p is a sum of probabilities: accepted is above 0 and at most 1")) }),
  v.strictObject({ kind: v.literal("threshold"), at: number }),
  v.strictObject({ kind: v.literal("by-expert"), factor: share }));

const router: Schema<RouterSpec> = object({
  score: maybe(score),
  choose: maybe(choice),
  kind: v.picklist(["softmax", "sigmoid", "relu", "chosen-softmax", "one", "sparsemixer"]),
  topK: count,
  normalize: v.union([flag, v.literal("nonzero")]),
  normalizeP: maybe(number),
  scale: number,
  bias: flag,
  logitStd: maybe(share),
  choiceBias: maybe(flag),
  groups: maybe(
    object<NonNullable<RouterSpec["groups"]>>({ count, keep: count, rank: v.picklist(["best", "best-two"]) }),
  ),
  jitter: maybe(number),
  gates: maybe(v.picklist(["output", "input"])),
  outputScale: maybe(number),
  capacity: v.union([whole, v.strictObject({ factor: share, paid: share })]),
  mix: maybe(object<NonNullable<RouterSpec["mix"]>>({ inputs: count })),
  masked: maybe(list(whole)),
  maskBy: maybe(v.literal("released-product")),
  skipBelow: maybe(number),
  merge: maybe(v.literal("sequence")),
  combine: maybe(flag),
});

const amplitudes = { length: number, short: list(number), long: list(number), shortAmplitude: number,
  longAmplitude: number };
const scaling = kinds<RotaryScaling>("kind", v.strictObject({ kind: v.literal("linear"), factor: number }),
  v.strictObject({ kind: v.literal("dynamic"), factor: number, length: number }),
  v.strictObject({ kind: v.literal("ntk"), alpha: number }),
  v.strictObject({ kind: v.literal("llama3"), factor: number, low: number, high: number, length: number }),
  v.strictObject({ kind: v.literal("yarn"), factor: number, length: number, fast: number, slow: number, truncate: flag,
    amplitude: number }), v.strictObject({ kind: v.literal("longrope"), ...amplitudes }));

const rotary: Schema<RotarySpec> = object({ theta: positive, dim: whole, interleaved: flag, scaling: maybe(scaling) });

const temperature: Schema<TemperatureSpec> = object({ floor: positive, scale: number, first: maybe(whole) });

const softmax: Schema<SoftmaxAttentionSpec> = object({
  kind: v.literal("softmax"),
  heads: count,
  kvHeads: count,
  headDim: count,
  scale: number,
  causal: flag,
  window: maybe(count),
  chunk: maybe(count),
  bias: object<SoftmaxAttentionSpec["bias"]>({ q: flag, k: flag, v: flag, o: flag }),
  rotary: maybe(rotary),
  qkNorm: maybe(
    object<QkNormSpec>({ over: v.picklist(["head", "all"]), when: v.picklist(["before-rotary", "after-rotary"]), eps,
      gain: flag, offset: maybe(number) }),
  ),
  clip: maybe(positive),
  sinks: maybe(flag),
  temperature: maybe(temperature),
  outputGate: maybe(flag),
  relative: maybe(
    object<NonNullable<SoftmaxAttentionSpec["relative"]>>({ buckets: count, maxDistance: count, bidirectional: flag,
      own: flag }),
  ),
});

const attention = kinds<AttentionSpec>("kind", softmax,
  object<LatentAttentionSpec>({ kind: v.literal("latent"), heads: count, qRank: whole, kvRank: count, nopeDim: count,
    ropeDim: count, valueDim: count, scale: number, causal: flag, eps,
    bias: object<LatentAttentionSpec["bias"]>({ q: flag, kv: flag, o: flag }), rotary, tokens: maybe(count),
    temperature: maybe(temperature) }),
  object<LightningAttentionSpec>({ kind: v.literal("lightning"), heads: count, headDim: count, decay: number,
    activation, eps }),
  object<DeltaAttentionSpec>({ kind: v.literal("delta"), keyHeads: count, valueHeads: count, keyDim: count,
    valueDim: count, projections: maybe(v.picklist(["grouped", "apart"])), kernel: count, activation, eps }),
  object<RoutedHeadsSpec>({ kind: v.literal("routed-heads"), experts: count, kvHeads: count, headDim: count,
    scale: number, causal: flag, rotary, router }),
  object<ConvolutionSpec>({ kind: v.literal("convolution"), kernel: count, bias: flag }),
  object<MambaSpec>({ kind: v.literal("mamba"), inner: count, state: count, kernel: count, stepRank: count, activation,
    bias: object<MambaSpec["bias"]>({ in: flag, convolution: flag }), eps: maybe(eps) }),
  object<Mamba2Spec>({ kind: v.literal("mamba-2"), heads: count, headDim: count, groups: count, state: count,
    kernel: count, activation, bias: object<Mamba2Spec["bias"]>({ in: flag, convolution: flag }), eps,
    step: maybe(object<NonNullable<Mamba2Spec["step"]>>({ least: number, most: maybe(number) })) }));

const dense: Schema<DenseFfnSpec> = object({ kind: v.literal("dense"), width: count, activation, gated: flag,
  bias: flag });

/** What stands in the place of a matrix: {@link MatrixForm}. */
export const matrixForm = kinds<MatrixForm>("form",
  object<LowRankSparse>({ form: v.literal(lowRankSparse.form), rank: whole, rows: whole }),
  object<Scaled>({ form: v.literal("scaled"), side: v.picklist(["in", "out"]) }),
  object<Blocks>({ form: v.literal("blocks"), groups: count, shuffled: flag }),
  object<Adapted>({ form: v.literal("adapted"), adapters: v.pipe(count, v.maxValue(MAX_EXPERTS)), rank: count,
    scale: number, router }));

/** Also as it was said before matrices had forms. */
const expert: Schema<ExpertSpec> = v.pipe(v.unknown(), v.transform(withForms),
  kinds<ExpertSpec>("form",
    object<DenseExpertSpec>({ form: v.literal("dense"), width: count,
      maps: maybe(v.strictObject({ up: maybe(matrixForm), gate: maybe(matrixForm), down: maybe(matrixForm) })) }),
    v.strictObject({ form: v.picklist(["zero", "copy"]), width: whole }),
    v.strictObject({ form: v.literal("constant"), width: whole, blend: maybe(flag) })));

const moe: Schema<MoeFfnSpec> = object({
  kind: v.literal("moe"),
  experts: v.pipe(count, v.maxValue(MAX_EXPERTS)),
  expertOf: list(v.pipe(number, v.integer(), v.minValue(-1))),
  slots: list(expert),
  shared: maybe(dense),
  sharedGate: maybe(flag),
  router,
  activation,
  gated: flag,
  bias: flag,
  inputScale: maybe(number),
  passes: maybe(flag),
  outputBias: maybe(flag),
  clamp: maybe(positive),
  latent: maybe(object<NonNullable<MoeFfnSpec["latent"]>>({ width: count, bias: flag })),
});
const wholeMoe = v.pipe(moe,
  v.check(({ experts, expertOf }) => expertOf.length === experts, "expertOf has a number for each router output"),
  v.check(({ slots, expertOf }) => expertOf.every((slot) => slot < slots.length), "expertOf names stored experts"),
  v.check(({ experts, router: { topK, choose } }) => topK + (choose?.kind === "top" ? choose.skip ?? 0 : 0) <= experts,
    "topK is at most the number of router outputs"),
  v.check(({ experts, router: { topK, choose } }) => choose?.kind !== "by-expert" || topK === experts,
    "topK is the number of router outputs where experts choose"),
  v.check(({ experts, router: { masked } }) => !masked?.some((output) => output >= experts),
    "masked names router outputs"),
  v.check(
    ({ router: { mix, kind, groups, merge } }) =>
      !mix || (kind === "softmax" || kind === "sigmoid") && !groups && !merge,
    "mix goes with scores of softmax or sigmoid, without groups and merge",
  ));

const factors: Schema<ResidualFactors> = object({ stream: number, block: number });
const ffn = v.lazy((input) => ((input as { kind?: unknown } | null)?.kind === "dense" ? dense : wholeMoe));

/** A layer of a spec: {@link LayerSpec}. */
export const layerSchema: Schema<LayerSpec> = object({
  attention: maybe(attention),
  cross: maybe(softmax),
  ffn: maybe(ffn as Schema<DenseFfnSpec | MoeFfnSpec>),
  norm,
  normPlace: maybe(v.picklist(["before", "after", "output"])),
  residual: maybe(
    object<NonNullable<LayerSpec["residual"]>>({ base: maybe(v.picklist(["stream", "normed"])), attention: factors,
      ffn: factors }),
  ),
  maps: maybe(v.record(v.string(), matrixForm)),
});

const stack: Schema<StackSpec> = object({
  embedding: object<EmbeddingSpec>({
    scale: number,
    shared: maybe(flag),
    width: maybe(count),
    position: maybe(
      kinds<PositionSpec>("kind", v.strictObject({ kind: v.literal("learned"), count, offset: whole }),
        v.strictObject({ kind: v.literal("sinusoidal"), pad: whole })),
    ),
    tokenTypes: maybe(count),
    norm: maybe(norm),
  }),
  layers: list(layerSchema, MAX_LAYERS),
  finalNorm: maybe(norm),
});

/** An architecture: {@link ModelSpec}. */
export const specSchema: Schema<ModelSpec> = object({
  family: v.string(),
  vocab: count,
  width: count,
  decoder: stack,
  encoder: maybe(stack),
  head: object<HeadSpec>({ tied: flag, scale: number, bias: flag,
    transform: maybe(object<NonNullable<HeadSpec["transform"]>>({ activation, norm })) }),
  tokens: object<ModelSpec["tokens"]>({ pad: maybe(whole), bos: maybe(whole), eos: list(whole),
    decoderStart: maybe(whole) }),
});
