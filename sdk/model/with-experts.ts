import type { RouterSpec } from "./router-spec.js";
import type { DenseFfnSpec, ExpertSpec, LayerSpec, ModelSpec, MoeFfnSpec } from "./spec.js";

/** Experts and routers in place of the feed-forward blocks of an architecture. */
export interface ExpertsOptions {
  /** what the outputs of a router lead to, in order; `count` of each, default 1; `width` of those that compute */
  experts: { form?: ExpertSpec["form"]; width?: number; blend?: boolean; count?: number }[];
  /** what is other than the softmax of a matrix, of which the best one is chosen */
  router?: Partial<RouterSpec>;
  /** width of the experts that all tokens run through, together; default none */
  shared?: number;
  /** of every so many layers the first has experts; default 1, all of them */
  every?: number;
  /** see `MoeFfnSpec` */
  passes?: boolean;
  inputScale?: number;
}

const USUAL: RouterSpec = { kind: "softmax", topK: 1, normalize: false, scale: 1, bias: false, capacity: 0 };

/**
 * An architecture whose feed-forward blocks have experts: activation, gates and biases are those of the block whose
 * place they take, and so is their width where none is given.
 *
 * @example withExperts(spec, { experts: [{ width: 64, count: 8 }, { form: "zero", count: 4 }], router: { topK: 2 } })
 */
export function withExperts(spec: ModelSpec, options: ExpertsOptions): ModelSpec {
  const changed = structuredClone(spec);
  for (const stack of [changed.encoder, changed.decoder]) {
    if (!stack) continue;
    stack.layers = stack.layers.map((
      layer,
      at,
    ) => (at % (options.every ?? 1) === 0 ? expertLayer(layer, options) : layer));
  }
  return changed;
}

function expertLayer(layer: LayerSpec, { experts, router, shared, passes, inputScale }: ExpertsOptions): LayerSpec {
  if (!layer.ffn) return layer;
  const { activation, gated, bias } = layer.ffn;
  const usual = layer.ffn.kind === "dense" ? layer.ffn.width : layer.ffn.slots[0].width;
  const slots = experts.flatMap(({ form = "dense", width = form === "dense" ? usual : 0, count = 1, ...rest }) =>
    Array.from({ length: count }, () => ({ form, width, ...rest }) as ExpertSpec)
  );
  const together: DenseFfnSpec | undefined = shared
    ? { kind: "dense", width: shared, activation, gated, bias }
    : undefined;
  const ffn: MoeFfnSpec = { kind: "moe", experts: slots.length, expertOf: slots.map((_, slot) => slot), slots,
    ...(together && { shared: together }), router: { ...USUAL, ...router }, activation, gated, bias,
    ...(passes && { passes }), ...(inputScale !== undefined && { inputScale }) };
  return { ...layer, ffn };
}
