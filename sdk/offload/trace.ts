/** A step as it lies in a file; T tokens, L layers, K choices, E experts, D width of what the router reads. */
export interface TraceStep {
  /** which text it belongs to */
  seq: number;
  phase: "prefill" | "decode";
  tokens: number;
  /** [L, T, K] experts by falling weight; `NO_EXPERT` where a token chose fewer */
  ids: Uint16Array;
  /** [L, T, K] as the router gave them */
  weights?: Float32Array;
  /** [L, T, E] */
  logits?: Float32Array;
  /** [L, T, D] */
  gateInput?: Float32Array;
  /** [T] */
  tokenIds?: Uint16Array;
  /** [L, 3, T, K] what the routers of the next three layers say about the input of this one's, by falling logit */
  nextLookahead?: Uint16Array;
}

/** What the routers of a model chose, step by step, in the order in which they ran. */
export interface RoutingTrace {
  model: string;
  seed: number;
  layers: number;
  experts: number;
  topK: number;
  dModel: number;
  /** paths of the MoE layers in the model, where they are known */
  layerIds?: string[];
  /** bytes of one expert by precision: { f32: 49152, int8: 12352 } */
  expertBytes: Record<string, number>;
  steps: TraceStep[];
}

export const NO_EXPERT = 65535;

/** The distinct experts that one layer needs in one step, by rising number. */
export interface LayerUse {
  step: number;
  layer: number;
  experts: number[];
}

/** Every layer of every step in the order in which they run; a use is one expert of one of these. */
export function usesOf(trace: RoutingTrace): LayerUse[] {
  return trace.steps.flatMap(({ ids }, step) => {
    const width = ids.length / trace.layers;
    return Array.from({ length: trace.layers }, (_, layer): LayerUse => {
      const experts = [...new Set(ids.subarray(layer * width, (layer + 1) * width))].filter((id) => id !== NO_EXPERT);
      return { step, layer, experts: experts.sort((a, b) => a - b) };
    });
  });
}
