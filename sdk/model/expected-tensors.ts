import type { AttentionSpec, DenseFfnSpec, ExpertSpec, LayerSpec, ModelSpec, MoeFfnSpec, NormSpec } from "./spec.js";
import { layerId } from "./spec.js";

/** Name and shape of a weight that a spec needs. */
export interface ExpectedTensor { name: string; shape: number[] }

/**
 * Every weight that a spec needs, by canonical name, in running order. Loading, saving, creating and counting
 * all follow this list, so a tensor that is not on it is unknown and one that is on it may not be missing.
 *
 * @example expectedTensors(spec)[0]  // { name: "embed", shape: [32128, 768] }
 */
export function expectedTensors(spec: ModelSpec): ExpectedTensor[] {
  const { vocab: V, width: D } = spec;
  const all: ExpectedTensor[] = [{ name: "embed", shape: [V, D] }];
  for (const stack of ["encoder", "decoder"] as const) {
    const part = spec[stack];
    if (!part) continue;
    const prefix = stack === "encoder" ? "encoder." : "";
    if (stack === "encoder" && !part.embedding.shared) all.push({ name: "encoder.embed", shape: [V, D] });
    part.layers.forEach((layer, index) => {
      for (const tensor of layerTensors(layer, D)) all.push({ ...tensor, name: `${layerId(stack, index)}.${tensor.name}` });
    });
    if (part.finalNorm) all.push(...norm(`${prefix}finalNorm`, part.finalNorm, D));
  }
  if (!spec.head.tied) all.push({ name: "head", shape: [V, D] });
  if (spec.head.bias) all.push({ name: "head.bias", shape: [V] });
  return all;
}

/** The weights of one layer, named without the layer's own path. D is the model width. */
export function layerTensors(layer: LayerSpec, D: number): ExpectedTensor[] {
  const all: ExpectedTensor[] = [];
  for (const kind of ["attention", "cross"] as const) {
    const block = layer[kind];
    if (block) all.push(...norm(`norm.${kind}`, layer.norm, D), ...attention(kind, block, D));
  }
  if (layer.ffn) {
    all.push(...norm("norm.ffn", layer.norm, D));
    all.push(...(layer.ffn.kind === "dense" ? dense("ffn", layer.ffn, D) : moe(layer.ffn, D)));
  }
  return all;
}

function norm(name: string, spec: NormSpec, D: number): ExpectedTensor[] {
  return [{ name, shape: [D] }, ...(spec.bias ? [{ name: `${name}.bias`, shape: [D] }] : [])];
}

function attention(name: string, spec: AttentionSpec, D: number): ExpectedTensor[] {
  const q = spec.heads * spec.headDim, kv = spec.kvHeads * spec.headDim;
  const shapes = { q: [q, D], k: [kv, D], v: [kv, D], o: [D, q] };
  const all: ExpectedTensor[] = [];
  for (const part of ["q", "k", "v", "o"] as const) {
    all.push({ name: `${name}.${part}`, shape: shapes[part] });
    if (spec.bias[part]) all.push({ name: `${name}.${part}.bias`, shape: [shapes[part][0]] });
  }
  if (spec.relative?.own) all.push({ name: `${name}.relativeBias`, shape: [spec.relative.buckets, spec.heads] });
  return all;
}

/** gate, up [F, D] and down [D, F] of a feed-forward block or an expert. */
function dense(name: string, spec: Pick<DenseFfnSpec, "width" | "gated" | "bias">, D: number): ExpectedTensor[] {
  const F = spec.width;
  const all: ExpectedTensor[] = [];
  for (const [part, shape] of [...(spec.gated ? [["gate", [F, D]]] : []), ["up", [F, D]], ["down", [D, F]]] as [string, number[]][]) {
    all.push({ name: `${name}.${part}`, shape });
    if (spec.bias) all.push({ name: `${name}.${part}.bias`, shape: [shape[0]] });
  }
  return all;
}

function moe(spec: MoeFfnSpec, D: number): ExpectedTensor[] {
  const all: ExpectedTensor[] = [{ name: "router", shape: [spec.experts, D] }];
  if (spec.router.bias) all.push({ name: "router.bias", shape: [spec.experts] });
  spec.slots.forEach((slot, index) => all.push(...expertTensors(`experts.${index}`, slot, spec, D)));
  if (spec.shared) all.push(...dense("shared", spec.shared, D));
  return all;
}

/** The weights of one stored expert in its form. */
export function expertTensors(name: string, slot: ExpertSpec, spec: MoeFfnSpec, D: number): ExpectedTensor[] {
  if (slot.form === "zero") return [];
  const plain = dense(name, { width: slot.width, gated: spec.gated, bias: spec.bias }, D);
  if (slot.form === "dense") return plain;
  return plain.flatMap(({ name: part, shape }) => {
    if (shape.length === 1) return [{ name: part, shape }];
    const [rows, columns] = shape;
    return [
      { name: `${part}.u`, shape: [rows, slot.rank] },
      { name: `${part}.v`, shape: [slot.rank, columns] },
      { name: `${part}.s`, shape: [rows, columns] },
    ];
  });
}
