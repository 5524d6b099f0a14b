import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
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
export function subsetLossObserver({ keep, maxSubsets = LIMIT, targets }: SubsetLossOptions): MergeableObserver<SubsetLoss> {
  const sums = new Sums();
  const subsets = new Map<LayerId, number[][]>();
  const seen = new Map<LayerId, number>();
  return {
    name: `subsetLoss.${keep}${maxSubsets === LIMIT ? "" : `.most.${maxSubsets}`}`,
    sums,
    loads: true,
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
      const each: Tensor[] = [];
      for (const slot of spec.expertOf) {
        if (slot >= 0) await event.load?.([slot]);
        each.push(slot < 0 ? tf.zerosLike(input) : expert(slot).run(input));
      }
      const outputs = tf.stack(each, 1);
      tf.dispose(each);
      const logits = await event.logits.data();
      for (let index = 0; index < tried.length; index++) {
        const dropped = new Set([...tried[index], ...(spec.router.masked ?? [])]);
        const change = tf.tidy(() => {
          const weights = tf.tensor(gatesWithout(logits, spec, dropped), [input.shape[0], 1, spec.experts]);
          const output = tf.reshape(tf.matMul(weights, outputs as Tensor), target.shape);
          return tf.norm(tf.sub(output, target));
        });
        loss[index] += (await change.data())[0];
        change.dispose();
      }
      outputs.dispose();
    },
    result() {
      const results = sums.map((sum) => ({ keep: sum("kept").length, losses: Array.from(sum("loss")) }));
      return Object.fromEntries(Object.entries(results).map(([layer, { keep, losses }]) =>
        [layer, { keep, losses: Object.fromEntries(subsets.get(layer)!.map((dropped, index) => [dropped.join(","), losses[index]])) }]));
    },
    merge: (other) => sums.merge(other.sums!),
  };
}

/** [N, E] weights of the experts when some are masked: softmax over the rest, the K largest, divided by their sum */
function gatesWithout(logits: ArrayLike<number>, spec: MoeFfnSpec, dropped: Set<number>): Float32Array {
  const [E, K] = [spec.experts, spec.router.topK];
  const gates = new Float32Array(logits.length);
  const open = Array.from({ length: E }, (_, e) => e).filter((e) => !dropped.has(e));
  for (let row = 0; row < logits.length; row += E) {
    const order = [...open].sort((a, b) => logits[row + b] - logits[row + a] || a - b);
    const most = logits[row + order[0]];
    const mass = (experts: number[]) => experts.reduce((sum, e) => sum + Math.exp(logits[row + e] - most), 0);
    const chosen = order.slice(0, K);
    const total = mass(spec.router.normalize ? chosen : open);
    for (const e of chosen) gates[row + e] = (Math.exp(logits[row + e] - most) / total) * spec.router.scale;
  }
  return gates;
}

/** every choice of `count` of the experts, in lexicographic order */
function choose(experts: number[], count: number, most: number, layer: LayerId): number[][] {
  let total = 1;
  for (let i = 0; i < count; i++) total = (total * (experts.length - i)) / (i + 1);
  if (total > most) {
    throw new MoeError("too-many-subsets", `prune: ${layer} has ${Math.round(total)} ways to drop ${count} of ${experts.length} experts; accepted are at most ${most}. Raise maxSubsets, or use a method that scores experts one by one, such as reap.`);
  }
  const found: number[][] = [];
  const extend = (chosen: number[], from: number) => {
    if (chosen.length === count) return void found.push(chosen);
    for (let i = from; i <= experts.length - (count - chosen.length); i++) extend([...chosen, experts[i]], i + 1);
  };
  extend([], 0);
  return found;
}
