import { type LayerId, type ModelSpec, type MoeFfnSpec, moeLayers } from "../model/spec.js";
import { keepPerLayer } from "../plan/keep.js";
import type { LayerPlan } from "../plan/plan.js";
import type { StepSeen, TrainingPruning } from "../train/training-pruning.js";
import { EagerPruner, type EagerPrunerOptions } from "./eager-pruner.js";
import { keepExperts } from "./keep-experts.js";

export interface EagerPruningOptions extends EagerPrunerOptions {
  /** experts that stay in each layer at the end: a share in (0, 1] or a count in (1, E] */
  keep: number;
  /** layers that stay as they are; default: the first MoE layer of the encoder, if there is one */
  exclude?: LayerId[];
  /**
   * what a mask does to a logit: "additive" (default) hides the expert; "released-product" multiplies by -1e6, as the
   * released code of arXiv:2310.01334 does, and so keeps choosing experts with negative logits
   */
  mask?: "additive" | "released-product";
}

/**
 * Task-specific expert pruning (arXiv:2206.00277) while a model is fine-tuned, for `train({ pruning })`: sets the masks
 * of the spec that is being trained, so give it the trainable model's own spec. Masked experts are not stored any more
 * once `layers()` is applied to the trained weights.
 *
 * @example
 * const pruning = new EagerPruning(trainable.spec, { steps: 300, keep: 4 });
 * await train(trainable, { steps: 300, …, pruning });
 * const plan = { version: 1, for: await weights.fingerprint(), method: "task-specific", options: {}, layers:
 * pruning.layers() };
 */
export class EagerPruning implements TrainingPruning {
  readonly countsChoices = true;
  private readonly pruners = new Map<LayerId, { ffn: MoeFfnSpec; pruner: EagerPruner }>();

  constructor(spec: ModelSpec, private readonly options: EagerPruningOptions) {
    const layers = moeLayers(spec);
    const exclude = options.exclude
      ?? layers.filter(({ stack }) => stack === "encoder").slice(0, 1).map(({ id }) => id);
    for (const { id, ffn } of layers) {
      if (exclude.includes(id)) continue;
      const keep = Math.round(keepPerLayer(options.keep, ffn.experts, "prune"));
      this.pruners.set(id, { ffn, pruner: new EagerPruner({ ...options, keep: Math.max(keep, ffn.router.topK) }) });
    }
  }

  reads(): boolean {
    return false;
  }

  async after(step: number, { counts }: StepSeen): Promise<void> {
    for (const [id, { ffn, pruner }] of this.pruners) {
      const { [id]: masked } = pruner.step(step, { [id]: counts[id] });
      if (masked) this.mask(ffn, masked);
    }
  }

  /** What is left of each layer, for a plan on the trained model. */
  layers(): Record<LayerId, LayerPlan> {
    const changed = [...this.pruners].filter(([, { ffn }]) => ffn.router.masked?.length);
    return Object.fromEntries(changed.map(([id, { ffn }]): [LayerId, LayerPlan] => {
      const masked = ffn.router.masked!;
      if (this.options.mask === "released-product")
        return [id, { router: { mask: masked, maskBy: "released-product" } }];
      return [id,
        keepExperts(Array.from({ length: ffn.experts }, (_, e) => e).filter((e) => !masked.includes(e)), ffn.experts)];
    }));
  }

  async state(): Promise<Record<string, Float32Array>> {
    return Object.fromEntries(
      [...this.pruners].flatMap(([id, { pruner }]) =>
        Object.entries(pruner.state(id)).map(([kind, values]) => [`${kind} ${id}`, values])
      ),
    );
  }

  restore(state: Record<string, Float32Array>): void {
    for (const [id, { ffn, pruner }] of this.pruners) {
      pruner.restore(id, { usage: state[`usage ${id}`], alive: state[`alive ${id}`] });
      if (state[`alive ${id}`])
        this.mask(ffn, Array.from(state[`alive ${id}`].keys()).filter((expert) => state[`alive ${id}`][expert] === 0));
    }
  }

  private mask(ffn: MoeFfnSpec, masked: number[]): void {
    ffn.router.masked = masked;
    if (this.options.mask === "released-product") ffn.router.maskBy = "released-product";
  }
}
