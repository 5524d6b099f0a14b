import { MoeError } from "../errors.js";
import { NO_EXPERT, type RoutingTrace } from "./trace.js";

/** Experts of a layer that is to come, best first; asked while the layer before it runs. */
export type Predictor = (step: number, layer: number) => readonly number[];

/**
 * What the layer's router says about the input of the layer before: of several tokens the experts by falling number of
 * tokens, then by number.
 *
 * @throws MoeError `trace-field` for a trace without it
 */
export function gateLookahead(trace: RoutingTrace): Predictor {
  const { experts, topK } = trace;
  if (!trace.steps.every(({ nextLookahead }) => nextLookahead))
    throw new MoeError("trace-field",
      `offload: the trace of ${trace.model} has no nextLookahead; accepted `
        + "are traces with it. Record it, or predict otherwise.");
  return (step, layer) => {
    const { nextLookahead, tokens } = trace.steps[step];
    const at = (layer - 1) * 3 * tokens * topK;
    const said = nextLookahead!.subarray(at, at + tokens * topK);
    if (tokens === 1) return Array.from(said).filter((id) => id !== NO_EXPERT);
    const counts = new Uint32Array(experts);
    for (const id of said) if (id !== NO_EXPERT) counts[id] += 1;
    return Array.from(counts, (count, expert) => ({ count, expert })).filter(({ count }) => count > 0).sort((a, b) =>
      b.count - a.count || a.expert - b.expert
    ).map(({ expert }) => expert);
  };
}

/** All experts of the next layer. */
export const allOfNextLayer = ({ experts }: RoutingTrace): Predictor => () =>
  Array.from({ length: experts }, (_, expert) => expert);

/** How many of a token's experts the look-ahead names, over the decode steps, by how many layers ahead. */
export function lookaheadRecall(trace: RoutingTrace): { lead: number; right: number; of: number; byLayer: number[] }[] {
  const { layers, topK } = trace;
  return [1, 2, 3].filter((lead) => lead < layers).map((lead) => {
    const byLayer = new Array<number>(layers).fill(0);
    let of = 0;
    for (const { phase, ids, nextLookahead } of trace.steps) {
      if (phase !== "decode" || !nextLookahead) continue;
      for (let layer = lead; layer < layers; layer++) {
        const chosen = new Set(ids.subarray(layer * topK, (layer + 1) * topK));
        chosen.delete(NO_EXPERT);
        const at = ((layer - lead) * 3 + lead - 1) * topK;
        of += chosen.size;
        for (const id of new Set(nextLookahead.subarray(at, at + topK))) if (chosen.has(id)) byLayer[layer] += 1;
      }
    }
    return { lead, right: byLayer.reduce((sum, n) => sum + n, 0), of, byLayer };
  });
}
