import { lookaheadRecall } from "./predict.js";
import { NO_EXPERT, type RoutingTrace, usesOf } from "./trace.js";

/** What one layer of a trace is like. */
export interface LayerStatistics {
  layer: string;
  /** [E] times each expert was chosen */
  counts: number[];
  /** exp of the entropy of the counts: as many equally used experts would be as varied */
  effectiveExperts: number;
  /** of a token's experts those that the token before it in its text had too; NaN without such a token */
  reuse: number;
  /** of a token's experts those that the router named one, two, three layers before; absent without look-ahead */
  predicted?: number[];
}

/** Numbers that say how well the experts of a trace can be kept or foreseen, by layer. */
export function traceStatistics(trace: RoutingTrace): LayerStatistics[] {
  const { layers, experts, topK } = trace;
  const recall = trace.steps.every(({ nextLookahead }) => nextLookahead) ? lookaheadRecall(trace) : undefined;
  return Array.from({ length: layers }, (_, layer): LayerStatistics => {
    const counts = new Array<number>(experts).fill(0), last = new Map<number, ReadonlySet<number>>();
    let again = 0, of = 0;
    for (const { seq, tokens, ids } of trace.steps) {
      for (let t = 0; t < tokens; t++) {
        const at = (layer * tokens + t) * topK;
        const chosen = new Set(ids.subarray(at, at + topK));
        chosen.delete(NO_EXPERT);
        const before = last.get(seq);
        for (const id of chosen) {
          counts[id] += 1;
          if (before?.has(id)) again += 1;
        }
        if (before) of += chosen.size;
        last.set(seq, chosen);
      }
    }
    const sum = counts.reduce((all, count) => all + count, 0);
    const entropy = counts.reduce((bits, count) => count > 0 ? bits - (count / sum) * Math.log(count / sum) : bits, 0);
    const predicted = recall?.filter(({ lead }) => lead <= layer).map(({ lead, of, byLayer }) =>
      byLayer[layer] / (of / (layers - lead))
    );
    return { layer: trace.layerIds?.[layer] ?? String(layer), counts, effectiveExperts: Math.exp(entropy),
      reuse: again / of, ...(predicted && { predicted }) };
  });
}

/**
 * How many other experts of its layer are used between two uses of an expert: LRU with S slots hits those below S.
 *
 * @returns times each distance occurred; the last is of first uses
 */
export function reuseDistances(trace: RoutingTrace): number[] {
  const { layers, experts } = trace;
  const found = new Array<number>(experts + 1).fill(0);
  const stacks = Array.from({ length: layers }, () => [] as number[]);
  for (const { layer, experts: used } of usesOf(trace)) {
    const stack = stacks[layer];
    for (const expert of used) {
      const at = stack.indexOf(expert);
      found[at < 0 ? experts : at] += 1;
      if (at >= 0) stack.splice(at, 1);
      stack.unshift(expert);
    }
  }
  return found;
}
