import type { Tensor2D } from "@tensorflow/tfjs-core";
import type { SweepChanged } from "../method/method.js";
import { type LayerId, type ModelSpec, moeLayers } from "../model/spec.js";
import type { LayerPlan } from "../plan/plan.js";
import type { MergeableObserver, MoeEvent } from "../profile/observer.js";
import { type SubsetLoss, subsetLossObserver } from "../profile/observers/subset-loss.js";
import { tf } from "../tensor/index.js";
import { keepExperts } from "./keep-experts.js";

/**
 * The progressive procedure of NAEE (arXiv:2402.14800, section 3.1): layer by layer, in running order, every subset of
 * the layer's experts is tried on what the layer sees when the layers before it are pruned already, and its output is
 * compared with that of the ORIGINAL model. Sweeps the model once for each layer, and once before.
 *
 * @param keep experts that stay: a share in (0, 1] or a count in (1, E]
 * @returns the losses of every layer in `layers`, as `subsetLossObserver` gives them
 */
export async function progressiveSubsetLoss(
  spec: ModelSpec,
  layers: LayerId[],
  keep: number,
  maxSubsets: number | undefined,
  sweep: SweepChanged,
): Promise<Record<LayerId, SubsetLoss>> {
  const original = new Map<LayerId, Tensor2D[]>();
  const losses: Record<LayerId, SubsetLoss> = {};
  try {
    await sweep({}, [{ name: "outputs", see: ({ layer, output }: MoeEvent) =>
      void (original.get(layer) ?? original.set(layer, []).get(layer)!).push(tf.keep(tf.clone(output))),
      result: () => ({}) }]);
    const pruned: Record<LayerId, LayerPlan> = {};
    for (const id of layers) {
      const observer = only(id, subsetLossObserver({ keep, maxSubsets, targets: Object.fromEntries(original) }));
      await sweep(pruned, [observer]);
      losses[id] = (observer.result() as Record<LayerId, SubsetLoss>)[id];
      const { experts } = moeLayers(spec).find((layer) =>
        layer.id === id
      )!.ffn;
      pruned[id] = keepExperts(keptOf(losses[id], experts), experts);
    }
    return losses;
  } finally {
    tf.dispose([...original.values()].flat());
  }
}

/** The experts of the subset with the smallest loss; of equals the first in lexicographic order of what is dropped. */
export function keptOf({ losses }: SubsetLoss, experts: number): number[] {
  const [best] = Object.entries(losses).reduce((least, tried) => (tried[1] < least[1] ? tried : least));
  const dropped = best === "" ? [] : best.split(",").map(Number);
  return Array.from({ length: experts }, (_, e) => e).filter((e) => !dropped.includes(e));
}

/** an observer that sees one layer */
function only(id: LayerId, observer: MergeableObserver<SubsetLoss>): MergeableObserver<SubsetLoss> {
  return { ...observer, see: (event) => (event.layer === id ? observer.see(event) : undefined) };
}
