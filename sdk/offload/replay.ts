import { MoeError } from "../errors.js";
import { Rng } from "../tensor/rng.js";
import { type Decision, ExpertCache } from "./expert-cache.js";
import { type PolicyMaker, policyNamed } from "./policies.js";
import type { ExpertKey } from "./policy.js";
import type { Predictor } from "./predict.js";
import { type LayerUse, type RoutingTrace, usesOf } from "./trace.js";

export interface ReplayOptions {
  /** by name, or one of your own: `() => ({ victim: (slots) => … })` */
  policy: string | PolicyMaker;
  /** one pool for each layer, or one for all; default "global" */
  pool?: "layer" | "global";
  /** experts that each pool holds */
  slots: number;
  /** "layer": the experts of a layer are needed at once (default); "sequential": one after the other, any may go */
  mode?: "layer" | "sequential";
  /** what is loaded ahead; default nothing */
  predict?: Predictor;
  /** of `lfu-halve`: uses after which counts are halved; default 100 */
  period?: number;
  /** bytes of an expert, by its name in the trace; default the largest */
  precision?: string;
  /** of the random policy, from [0, 1); default seeded with 0 */
  random?: () => number;
  /** is told each decision as it is taken: an engine with a clock */
  onDecision?(use: LayerUse, decision: Decision): void;
}

/** What a policy does with a trace. One value per use, in the order of `usesOf`. */
export interface Replay {
  hits: boolean[];
  /** per miss: what went for it, undefined for a free slot */
  victims: (ExpertKey | undefined)[];
  prefetched: { step: number; layer: number; expert: number; victim: ExpertKey | undefined }[];
  totals: {
    hits: number;
    misses: number;
    evictions: number;
    /** misses for which an expert of the same layer went */
    serial: number;
    bytesDemand: number;
    peakResidentBytes: number;
    hitsMissesByLayer: [hits: number, misses: number][];
    decodeHits: number;
    decodeUses: number;
    prefetched: number;
    prefetchUsed: number;
    prefetchWasted: number;
    dropped: number;
    bytesPrefetch: number;
  };
}

/**
 * Runs a policy over a trace, without a clock: hits, misses, evictions and bytes. An engine over files that asks the
 * same cache has the same ones, except where a policy loads for as long as something else takes.
 *
 * @throws MoeError `unknown-policy`, `bad-offload`, `bad-policy`
 * @example replay(trace, { policy: "lru", slots: 12 }).totals.hits
 */
export function replay(trace: RoutingTrace, options: ReplayOptions): Replay {
  const { policy, pool = "global", slots, mode = "layer", predict, period, onDecision } = options;
  const bytes = bytesOf(trace, options.precision), E = trace.experts;
  const uses = usesOf(trace);
  const upcoming = positions(uses, E);
  let now = 0, peak = 0;
  const rng = new Rng(0);
  const maker = policyNamed(policy);
  const cache = new ExpertCache({ layers: trace.layers, experts: E, pool, slots,
    policy: () => maker(period === undefined ? {} : { period }),
    view: { nextUse: (key) => upcoming(key, now), random: options.random ?? (() => rng.next()) } });
  const result: Replay = { hits: [], victims: [], prefetched: [],
    totals: { hits: 0, misses: 0, evictions: 0, serial: 0, bytesDemand: 0, peakResidentBytes: 0,
      hitsMissesByLayer: Array.from({ length: trace.layers }, () => [0, 0]), decodeHits: 0, decodeUses: 0,
      prefetched: 0, prefetchUsed: 0, prefetchWasted: 0, dropped: 0, bytesPrefetch: 0 } };
  const { totals } = result;
  const unused = new Set<ExpertKey>();
  const seePeak = () => void (peak = Math.max(peak, cache.resident));
  const evicted = (victim: ExpertKey | undefined) => {
    if (victim === undefined) return;
    totals.evictions += 1;
    if (unused.delete(victim)) totals.prefetchWasted += 1;
  };
  const layerRuns = ({ step, layer, experts }: LayerUse, together: readonly number[]) => {
    const decision: Decision = { ...cache.need(layer, experts, seePeak), prefetches: [], dropped: 0 };
    const hits = new Set(decision.hits);
    for (const key of hits) if (unused.delete(key)) totals.prefetchUsed += 1;
    const isDecode = trace.steps[step].phase === "decode";
    for (const expert of experts) {
      const hit = hits.has(layer * E + expert);
      result.hits.push(hit);
      totals.hitsMissesByLayer[layer][hit ? 0 : 1] += 1;
      if (isDecode) totals.decodeUses += 1;
      if (isDecode && hit) totals.decodeHits += 1;
    }
    for (const { victim, serial } of decision.loads) {
      result.victims.push(victim);
      evicted(victim);
      if (serial) totals.serial += 1;
    }
    if (predict && layer + 1 < trace.layers) {
      const running = together.map((expert) => layer * E + expert);
      Object.assign(decision, cache.expect(layer + 1, predict(step, layer + 1), running, seePeak));
      for (const { key, victim } of decision.prefetches) {
        evicted(victim);
        unused.add(key);
        result.prefetched.push({ step, layer: layer + 1, expert: key % E, victim });
      }
      totals.dropped += decision.dropped;
    }
    onDecision?.({ step, layer, experts: [...experts] }, decision);
  };
  for (const use of uses) {
    const start = now;
    if (mode === "layer") {
      now = start + use.experts.length - 1; // the next use is one after this layer
      layerRuns(use, use.experts);
    } else
      for (const expert of use.experts) {
        layerRuns({ ...use, experts: [expert] }, []);
        now += 1;
      }
    now = start + use.experts.length;
    seePeak();
  }
  totals.hits = result.hits.filter(Boolean).length;
  totals.misses = result.hits.length - totals.hits;
  totals.bytesDemand = totals.misses * bytes;
  totals.peakResidentBytes = peak * bytes;
  totals.prefetched = result.prefetched.length;
  totals.prefetchWasted += unused.size;
  totals.bytesPrefetch = totals.prefetched * bytes;
  return result;
}

/** Bytes of one expert. @throws MoeError `bad-offload` */
export function bytesOf({ expertBytes, model }: RoutingTrace, precision?: string): number {
  const found = precision === undefined ? Math.max(0, ...Object.values(expertBytes)) : expertBytes[precision];
  if (found !== undefined && found > 0) return found;
  throw new MoeError("bad-offload",
    `offload: the precision is ${JSON.stringify(precision)} and the trace of ${model} has ${
      Object.keys(expertBytes).join(", ") || "no bytes of experts"
    }; accepted is one of them. Change { precision }.`);
}

/** Where an expert is used next after a position. */
function positions(uses: readonly LayerUse[], E: number): (key: ExpertKey, now: number) => number {
  const at = new Map<ExpertKey, number[]>();
  let position = 0;
  for (const { layer, experts } of uses) {
    for (const expert of experts) {
      const key = layer * E + expert, list = at.get(key) ?? [];
      list.push(position++);
      at.set(key, list);
    }
  }
  return (key, now) => {
    const list = at.get(key) ?? [];
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] > now) high = middle;
      else low = middle + 1;
    }
    return list[low] ?? Infinity;
  };
}
