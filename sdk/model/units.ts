import { type DenseFfnSpec, isFree, layerId, type LayerSpec, type ModelSpec, type MoeFfnSpec } from "./spec.js";

/** "layers.3.experts.5", "layers.2.attention.heads", "layers.0.ffn" */
export type UnitName = string;

/**
 * Things inside a model that can be taken away or put in another order, and the rows and columns that belong to them.
 */
export interface Unit {
  name: UnitName;
  of: "neurons" | "heads";
  count: number;
  /** index i of the unit is `times` rows (axis 0) or columns (axis 1) of each member, from i * times on */
  members: { weight: string; axis: 0 | 1; times: number }[];
  /** says in the spec that this many are left */
  resize(spec: ModelSpec, count: number): void;
}

/**
 * The units of a model: hidden neurons of dense blocks, shared experts and stored experts; heads of softmax attention,
 * those that share a key-value head together. Heads with a bias by distance have none: their stack shares its table.
 *
 * @example units(spec)[0]  // { name: "layers.0.attention.heads", of: "heads", count: 8, members: [...] }
 */
export function units(spec: ModelSpec): Unit[] {
  return (["encoder", "decoder"] as const).flatMap((stack) =>
    (spec[stack]?.layers ?? []).flatMap((layer, index) => {
      const id = layerId(stack, index);
      const own = [...(["attention", "cross"] as const).flatMap((block) => heads(`${id}.${block}`, layer, block)),
        ...neuronsOf(id, layer)];
      return own.map(({ resized, ...unit }): Unit => ({ ...unit, resize(spec, count) {
        // layers of a spec may be one object
        spec[stack]!.layers[index] = resized(spec[stack]!.layers[index], count);
      } }));
    })
  );
}

type OfLayer = Omit<Unit, "resize"> & { resized(layer: LayerSpec, count: number): LayerSpec };

function heads(name: UnitName, layer: LayerSpec, block: "attention" | "cross"): OfLayer[] {
  const spec = layer[block];
  if (spec?.kind !== "softmax" || spec.relative) return [];
  const { kvHeads, headDim: d, bias, qkNorm } = spec;
  const group = spec.heads / kvHeads;
  const q = group * d * (spec.outputGate ? 2 : 1);
  const rows: [string, number, boolean][] = [["q", q, bias.q], ["k", d, bias.k], ["v", d, bias.v]];
  const members: Unit["members"] = rows.flatMap(([part, times, biased]) =>
    [part, ...(biased ? [`${part}.bias`] : [])].map((part) => ({ weight: `${name}.${part}`, axis: 0 as const, times }))
  );
  if (qkNorm?.gain && qkNorm.over === "all")
    members.push({ weight: `${name}.qNorm`, axis: 0, times: group * d }, { weight: `${name}.kNorm`, axis: 0,
      times: d });
  if (spec.sinks) members.push({ weight: `${name}.sinks`, axis: 0, times: group });
  members.push({ weight: `${name}.o`, axis: 1, times: group * d });
  return [{ name: `${name}.heads`, of: "heads", count: kvHeads, members,
    resized: (layer, count) => ({ ...layer, [block]: { ...layer[block]!, heads: count * group, kvHeads: count } }) }];
}

function neuronsOf(id: string, { ffn }: LayerSpec): OfLayer[] {
  if (!ffn) return [];
  if (ffn.kind === "dense") return [neurons(`${id}.ffn`, ffn, (ffn, width) => ({ ...ffn, width } as DenseFfnSpec))];
  const stored = ffn.slots.flatMap((slot, at) =>
    isFree(slot) || slot.maps ? [] : [neurons(`${id}.experts.${at}`, { ...ffn, width: slot.width }, (ffn, width) => {
      const { slots, ...rest } = ffn as MoeFfnSpec;
      return { ...rest, slots: slots.map((slot, index) => (index === at ? { ...slot, width } : slot)) };
    })]
  );
  if (!ffn.shared) return stored;
  return [...stored, neurons(`${id}.shared`, ffn.shared, (ffn, width) => {
    const { shared, ...rest } = ffn as MoeFfnSpec;
    return { ...rest, shared: { ...shared!, width } };
  })];
}

function neurons(
  name: UnitName,
  { width, gated, bias }: Pick<DenseFfnSpec, "width" | "gated" | "bias">,
  resized: (ffn: NonNullable<LayerSpec["ffn"]>, width: number) => NonNullable<LayerSpec["ffn"]>,
): OfLayer {
  const rows = ["up", ...(gated ? ["gate"] : [])].flatMap((part) => [part, ...(bias ? [`${part}.bias`] : [])]);
  return { name, of: "neurons", count: width,
    members: [...rows.map((part) => ({ weight: `${name}.${part}`, axis: 0 as const, times: 1 })), {
      weight: `${name}.down`,
      axis: 1,
      times: 1,
    }], resized: (layer, count) => ({ ...layer, ffn: resized(layer.ffn!, count) }) };
}
