import type { Tensor2D } from "@tensorflow/tfjs-core";
import { MoeError } from "../../errors.js";
import type { LayerId, MoeFfnSpec } from "../../model/spec.js";
import { keepPerLayer } from "../../plan/keep.js";
import { tf } from "../../tensor/index.js";
import type { MergeableObserver, MoeEvent } from "../observer.js";
import { Sums } from "./sums.js";

export interface SubsetLoss {
  /** experts that stay */
  keep: number;
  /** loss by the dropped experts, "0,3"; in lexicographic order */
  losses: Record<string, number>;
}

export interface SubsetLossOptions {
  /** experts that stay: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /** most subsets of a layer that are tried; default 20,000 */
  maxSubsets?: number;
  /**
   * Outputs [N, D] to come close to, for each event of a layer in order; default: the event's own output. The
   * progressive procedure sweeps the model that is pruned so far and compares with the original's outputs.
   */
  targets?: Record<LayerId, Tensor2D[]>;
}

/** subsets of a layer that are tried if nobody says otherwise */
const LIMIT = 20_000;

/**
 * Tries every subset of a layer's experts (NAEE, arXiv:2402.14800, section 3.1): dropped ones are masked before the
 * softmax, and the loss is the Frobenius norm of what that changes in the layer's output. Norms are added up over
 * events, not squared, so the loss depends on how the data is cut into batches, as the paper's does.
 *
 * @throws MoeError `too-many-subsets`
 */
export function subsetLossObserver({ keep, maxSubsets = LIMIT, targets }: SubsetLossOptions): MergeableObserver<
  SubsetLoss
> {
  const sums = new Sums();
  const subsets = new Map<LayerId, number[][]>();
  const seen = new Map<LayerId, number>();
  return {
    name: `subsetLoss.${keep}${maxSubsets === LIMIT ? "" : `.most.${maxSubsets}`}`,
    sums,
    runsExperts: "one-by-one",
    async see(event: MoeEvent) {
      const { layer, spec, input, expert } = event;
      const open = spec.expertOf.flatMap((slot, e) => (slot >= 0 && !spec.router.masked?.includes(e) ? [e] : []));
      const kept = Math.round(keepPerLayer(keep, open.length, "prune"));
      if (!subsets.has(layer)) subsets.set(layer, choose(open, open.length - kept, maxSubsets, layer));
      const tried = subsets.get(layer)!;
      sums.of(layer, "kept", kept);
      const loss = sums.of(layer, "loss", tried.length);
      const order = seen.get(layer) ?? 0;
      seen.set(layer, order + 1);

      const target = targets?.[layer]?.[order] ?? event.output;
      const outputs: Float32Array[] = [];
      for (const slot of spec.expertOf) {
        if (slot >= 0) await event.load?.([slot]);
        const output = slot < 0 ? tf.zerosLike(input) : expert(slot).run(input);
        outputs.push(await output.data() as Float32Array);
        output.dispose();
      }
      const change = changes(await event.logits.data(), spec, await target.data() as Float32Array, outputs);
      for (let index = 0; index < tried.length; index++)
        loss[index] += change([...tried[index], ...(spec.router.masked ?? [])]);
    },
    result() {
      const results = sums.map((sum) => ({ keep: sum("kept").length, losses: Array.from(sum("loss")) }));
      return Object.fromEntries(
        Object.entries(results).map(
          ([layer, { keep, losses }]) => [layer, { keep,
            losses: Object.fromEntries(
              subsets.get(layer)!.map((dropped, index) => [dropped.join(","), losses[index]]),
            ) }]
        ),
      );
    },
    merge: (other) => sums.merge(other.sums!),
  };
}

/**
 * How far the layer's output is from `target` when some experts are masked: softmax over the rest, the K largest,
 * divided by
 * their sum. The distance of a weighted sum of outputs follows from their products with each other and with the target,
 * which
 * are taken once for all subsets; float64, as differences of them are small.
 */
function changes(
  logits: ArrayLike<number>,
  { experts: E, router }: MoeFfnSpec,
  target: Float32Array,
  outputs: Float32Array[],
): (dropped: readonly number[]) => number {
  const N = logits.length / E;
  const D = target.length / N;
  const size = E + 1;
  const vectors = [...outputs, target];
  const products = new Float64Array(N * size * size);
  const masses = new Float64Array(N * E);
  const byMass = new Uint16Array(N * E);
  for (let n = 0; n < N; n++) {
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        const [one, other] = [vectors[i], vectors[j]];
        let product = 0;
        for (let d = n * D; d < (n + 1) * D; d++) product += one[d] * other[d];
        products[(n * size + i) * size + j] = products[(n * size + j) * size + i] = product;
      }
    }
    const row = Array.from({ length: E }, (_, e) => logits[n * E + e]);
    const most = Math.max(...row);
    masses.set(row.map((logit) => Math.exp(Math.max(-700, logit - most))), n * E); // never 0, whoever is left
    byMass.set(row.map((_, e) => e).sort((a, b) => row[b] - row[a] || a - b), n * E);
  }

  const isDropped = new Uint8Array(E);
  const chosen = new Uint16Array(router.topK);
  return (dropped) => {
    isDropped.fill(0);
    for (const e of dropped) isDropped[e] = 1;
    let squares = 0;
    for (let n = 0; n < N; n++) {
      let K = 0, total = 0;
      for (let at = n * E; at < (n + 1) * E && (K < router.topK || !router.normalize); at++) {
        const e = byMass[at];
        if (isDropped[e]) continue;
        if (K < router.topK) chosen[K++] = e;
        total += masses[n * E + e];
      }
      const scale = router.scale / total;
      const first = n * size * size;
      let square = products[first + E * size + E];
      for (let i = 0; i < K; i++) {
        const weight = scale * masses[n * E + chosen[i]];
        const row = first + chosen[i] * size;
        square -= 2 * weight * products[row + E];
        for (let j = 0; j < K; j++) square += weight * scale * masses[n * E + chosen[j]] * products[row + chosen[j]];
      }
      squares += Math.max(0, square);
    }
    return Math.sqrt(squares);
  };
}

/** every choice of `count` of the experts, in lexicographic order */
function choose(experts: number[], count: number, most: number, layer: LayerId): number[][] {
  let total = 1;
  for (let i = 0; i < count; i++) total = (total * (experts.length - i)) / (i + 1);
  if (total > most) {
    throw new MoeError("too-many-subsets",
      `prune: ${layer} has ${Math.round(total)} ways to drop ${count} of ${experts.length} experts; `
        + `accepted are at most ${most}. Raise maxSubsets, or use a method that scores experts one by one, `
        + "such as reap.");
  }
  const found: number[][] = [];
  const extend = (chosen: number[], from: number) => {
    if (chosen.length === count) return void found.push(chosen);
    for (let i = from; i <= experts.length - (count - chosen.length); i++) extend([...chosen, experts[i]], i + 1);
  };
  extend([], 0);
  return found;
}
