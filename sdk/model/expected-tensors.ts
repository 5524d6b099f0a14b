import { MoeError, suggest } from "../errors.js";
import { attentionTensors } from "./attention/tensors.js";
import type { ExpectedTensor } from "./expected-tensor.js";
import { formTensors } from "./form/forms.js";
import type { MatrixForm } from "./form/matrix-form.js";
import type { NormSpec } from "./norm-spec.js";
import type { RouterSpec } from "./router-spec.js";
import type { DenseFfnSpec, ExpertSpec, LayerSpec, ModelSpec, MoeFfnSpec } from "./spec.js";
import { isFree, latentWidth, layerId } from "./spec.js";

/**
 * Every weight that a spec needs, by canonical name, in running order. Loading, saving, creating and counting
 * all follow this list, so a tensor that is not on it is unknown and one that is on it may not be missing.
 *
 * @example expectedTensors(spec)[0]  // { name: "embed", shape: [32128, 768] }
 */
export function expectedTensors(spec: ModelSpec): ExpectedTensor[] {
  const all: ExpectedTensor[] = [];
  for (const stack of ["decoder", "encoder"] as const) if (spec[stack]) all.push(...embeddingTensors(spec, stack));
  for (const stack of ["encoder", "decoder"] as const) {
    spec[stack]?.layers.forEach((layer, index) => {
      for (const tensor of layerTensors(layer, spec.width))
        all.push({ ...tensor, name: `${layerId(stack, index)}.${tensor.name}` });
    });
  }
  return [...all, ...endTensors(spec)];
}

/** The weights outside the layers. */
export function topTensors(spec: ModelSpec): ExpectedTensor[] {
  const stacks = (["decoder", "encoder"] as const).filter((stack) => spec[stack]);
  return [...stacks.flatMap((stack) => embeddingTensors(spec, stack)), ...endTensors(spec)];
}

/** What makes the first layer's input. */
function embeddingTensors(spec: ModelSpec, stack: "encoder" | "decoder"): ExpectedTensor[] {
  const { vocab: V, width: D } = spec;
  const { embedding } = spec[stack]!;
  const { position, width = D } = embedding;
  const prefix = stack === "encoder" ? "encoder." : "";
  return [...(embedding.shared ? [] : [{ name: `${prefix}embed`, shape: [V, width] }]),
    ...(width === D
      ? []
      : [{ name: `${prefix}embedIn`, shape: [D, width] }, { name: `${prefix}embedOut`, shape: [width, D] }]),
    ...(position?.kind === "learned"
      ? [{ name: `${prefix}position`, shape: [position.count + position.offset, D] }]
      : []), ...(embedding.tokenTypes ? [{ name: `${prefix}tokenType`, shape: [embedding.tokenTypes, D] }] : []),
    ...(embedding.norm ? norm(`${prefix}embedNorm`, embedding.norm, D) : [])];
}

/** Final norms and head. */
function endTensors(spec: ModelSpec): ExpectedTensor[] {
  const { vocab: V, width: D, head } = spec;
  const all: ExpectedTensor[] = [];
  for (const [stack, prefix] of [["encoder", "encoder."], ["decoder", ""]] as const) {
    const final = spec[stack]?.finalNorm;
    if (final) all.push(...norm(`${prefix}finalNorm`, final, D));
  }
  if (head.transform)
    all.push({ name: "headTransform", shape: [D, D] }, { name: "headTransform.bias", shape: [D], start: 0 },
      ...norm("headNorm", head.transform.norm, D));
  if (!head.tied) all.push({ name: "head", shape: [V, spec.decoder.embedding.width ?? D] });
  if (head.bias) all.push({ name: "head.bias", shape: [V], start: 0 });
  return all;
}

/** The weights of one layer, named without the layer's own path. D is the model width. */
export function layerTensors(layer: LayerSpec, D: number): ExpectedTensor[] {
  const all: ExpectedTensor[] = [];
  for (const kind of ["attention", "cross"] as const) {
    const block = layer[kind];
    if (block) all.push(...norm(`norm.${kind}`, layer.norm, D), ...attentionTensors(kind, block, D));
  }
  if (layer.ffn) {
    all.push(...norm("norm.ffn", layer.norm, D));
    all.push(...(layer.ffn.kind === "dense" ? dense("ffn", layer.ffn, D) : moe(layer.ffn, D)));
  }
  return layer.maps ? inForms(all, layer.maps) : all;
}

/** With what stands in the place of these matrices. @throws MoeError `bad-form` for what is no matrix of the layer */
function inForms(all: readonly ExpectedTensor[], maps: Readonly<Record<string, MatrixForm>>): ExpectedTensor[] {
  const unknown = Object.keys(maps).find((name) => !all.some((tensor) => tensor.name === name && isMatrix(tensor)));
  if (unknown !== undefined)
    throw new MoeError("bad-form",
      `spec: maps names "${unknown}", which is no matrix of its layer outside the experts. `
        + suggest(unknown, all.filter(isMatrix).map(({ name }) => name)));
  return all.flatMap((tensor) => {
    const form = maps[tensor.name];
    if (!form) return [tensor];
    return formTensors(form, tensor.shape as [number, number]).map((own) => ({ ...own, name: tensor.name + own.name }));
  });
}

/** Whether a weight, by its name in the layer, is what `linear` multiplies with. */
export function isMatrix({ name, shape }: ExpectedTensor): boolean {
  return shape.length === 2 && !/(^router|^experts\.|norm|relativeBias|convolution|logDecay)/.test(name);
}

/** Shapes of the matrices that have a form. */
export function mapShapes({ maps, ...layer }: LayerSpec, D: number): Record<string, [number, number]> {
  return Object.fromEntries(
    layerTensors(layer, D).filter(({ name }) => maps?.[name]).map(
      ({ name, shape }) => [name, shape as [number, number]]
    ),
  );
}

/** A norm that is stored around zero starts there. */
function norm(name: string, spec: NormSpec, D: number): ExpectedTensor[] {
  return [{ name, shape: [D], start: 1 - (spec.offset ?? 0) },
    ...(spec.bias ? [{ name: `${name}.bias`, shape: [D], start: 0 }] : [])];
}

/** gate, up [F, D] and down [D, F] of a feed-forward block or an expert. */
function dense(
  name: string,
  spec: Pick<DenseFfnSpec, "width" | "gated" | "bias">,
  D: number,
  maps: Readonly<Record<string, MatrixForm>> = {},
): ExpectedTensor[] {
  const F = spec.width;
  const all: ExpectedTensor[] = [];
  for (const [part, shape] of [...(spec.gated ? [["gate", [F, D]]] : []), ["up", [F, D]], ["down", [D, F]]] as [string,
    [number, number]][]) {
    const stored = maps[part] ? formTensors(maps[part], shape) : [{ name: "", shape }];
    all.push(...stored.map((tensor) => ({ ...tensor, name: `${name}.${part}${tensor.name}` })));
    if (spec.bias) all.push({ name: `${name}.${part}.bias`, shape: [shape[0]], start: 0 });
  }
  return all;
}

function moe(spec: MoeFfnSpec, D: number): ExpectedTensor[] {
  const { mix } = spec.router;
  const all = routerTensors(spec.experts, spec.router, D);
  if (spec.router.bias) all.push({ name: "router.bias", shape: [mix?.inputs ?? spec.experts], start: 0 });
  if (mix) all.push({ name: "router.mix", shape: [spec.experts, mix.inputs] });
  if (spec.router.choiceBias) all.push({ name: "router.choiceBias", shape: [spec.experts], start: 0 });
  spec.slots.forEach((slot, index) => all.push(...expertTensors(`experts.${index}`, slot, spec, D)));
  if (spec.outputBias) all.push({ name: "expertsBias", shape: [latentWidth(spec, D)], start: 0 });
  if (spec.latent) {
    const { width, bias } = spec.latent;
    for (const [name, shape] of [["latentDown", [width, D]], ["latentUp", [D, width]]] as [string, number[]][]) {
      all.push({ name, shape });
      if (bias) all.push({ name: `${name}.bias`, shape: [shape[0]], start: 0 });
    }
  }
  if (spec.shared) all.push(...dense("shared", spec.shared, D));
  if (spec.shared && spec.sharedGate) all.push({ name: "sharedGate", shape: [1, D] });
  return all;
}

/** The weights that a router's score is made of. @param E outputs @param D width of what it reads */
function routerTensors(E: number, { score = { kind: "linear" }, mix }: RouterSpec, D: number): ExpectedTensor[] {
  const carry = score.carry ? [{ name: "router.carry", shape: [E, E], start: 0 }] : [];
  if (score.kind === "hash" || score.kind === "random") return carry;
  const outputs = mix?.inputs ?? E;
  if (score.kind === "linear") return [{ name: "router", shape: [outputs, D] }, ...carry];
  const learned = score.kind === "cosine" && score.temperature === "learned";
  return [{ name: "router.hidden", shape: [score.width, D] }, { name: "router", shape: [outputs, score.width] },
    ...(learned ? [{ name: "router.temperature", shape: [1], start: 0.07 }] : []), ...carry];
}

/** The weights of one stored expert in its form. @param width of the model */
export function expertTensors(name: string, slot: ExpertSpec, spec: MoeFfnSpec, width: number): ExpectedTensor[] {
  const D = latentWidth(spec, width);
  if (isFree(slot)) {
    if (slot.form !== "constant") return [];
    return [{ name: `${name}.value`, shape: [D], start: 0 },
      ...(slot.blend ? [{ name: `${name}.blend`, shape: [2, D] }] : [])];
  }
  return dense(name, { width: slot.width, gated: spec.gated, bias: spec.bias }, D, slot.maps);
}
