import { byFallingUsage } from "../method/falling-order.js";
import type { LayerId } from "../model/spec.js";

export interface EagerPrunerOptions {
  /** T: fine-tuning steps */
  steps: number;
  /** m: experts that stay in each layer at the end */
  keep: number;
  /** P: pruning events in the first half of the steps; default 5 */
  events?: number;
  /** an expert goes when its share of the usage is not above beta / alive; default 0.1 */
  beta?: number;
  /** how much of the running usage stays when a new batch comes in; default 0.6 */
  memory?: number;
  /** steps between two looks at the usage; default 4 */
  every?: number;
}

/**
 * Drops experts while the model is fine-tuned on one task (arXiv:2206.00277, in the form that is fully specified: the
 * baseline of arXiv:2310.01334). Usage is a running mean over batches; at each of P events in the first half of the
 * training experts with little of it go, and at half time the m most used are left. Ties go to the lower index.
 *
 * `EagerPruning` puts its masks onto a model that is being trained.
 *
 * @example
 * const pruner = new EagerPruner({ steps: 1000, keep: 1 });
 * const masked = pruner.step(t, countsOfThisBatch);  // after each optimiser step t, from 1
 */
export class EagerPruner {
  private readonly usage = new Map<LayerId, number[]>();
  private readonly alive = new Map<LayerId, Set<number>>();

  constructor(private readonly options: EagerPrunerOptions) {}

  /**
   * @param step t, from 1
   * @param counts [E] how often each expert was chosen in this batch, for each layer
   * @returns the masked experts of each layer that changed at this step
   */
  step(step: number, counts: Record<LayerId, number[]>): Record<LayerId, number[]> {
    const { steps, events = 5, every = 4 } = this.options;
    if (step % every === 0) { for (const [layer, batch] of Object.entries(counts)) this.observe(layer, batch); }
    const interval = Math.max(1, Math.floor(steps / 2 / events));
    const changed: Record<LayerId, number[]> = {};
    if (step % interval !== 0) return changed;
    for (const [layer, batch] of Object.entries(counts)) {
      const alive = this.alive.get(layer) ?? new Set(batch.map((_, expert) => expert));
      const kept = this.judge(step, this.usage.get(layer) ?? batch.map(() => 1 / batch.length), alive);
      if (kept.size < alive.size)
        changed[layer] = batch.map((_, expert) => expert).filter((expert) => !kept.has(expert));
      this.alive.set(layer, kept);
    }
    return changed;
  }

  private observe(layer: LayerId, counts: number[]): void {
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return;
    const { memory = 0.6 } = this.options;
    const before = this.usage.get(layer);
    const mixed = counts.map((
      count,
      expert,
    ) => (before ? memory * before[expert] + (1 - memory) * (count / total) : count / total));
    const sum = mixed.reduce((a, b) => a + b, 0);
    // float32, so that a state that was written and read again is the same
    this.usage.set(layer, mixed.map((share) => Math.fround(share / sum)));
  }

  /** What a run needs to go on, for one layer; alive experts are 1. */
  state(layer: LayerId): Record<string, Float32Array> {
    const [usage, alive] = [this.usage.get(layer), this.alive.get(layer)];
    return { ...(usage && { usage: Float32Array.from(usage) }),
      ...(usage && alive && { alive: Float32Array.from(usage, (_, expert) => (alive.has(expert) ? 1 : 0)) }) };
  }

  restore(layer: LayerId, { usage, alive }: { usage?: Float32Array; alive?: Float32Array }): void {
    if (usage) this.usage.set(layer, Array.from(usage));
    if (alive) this.alive.set(layer, new Set(Array.from(alive.keys()).filter((expert) => alive[expert] === 1)));
  }

  private judge(step: number, usage: number[], alive: Set<number>): Set<number> {
    const { steps, keep, beta = 0.1 } = this.options;
    if (alive.size <= keep) return alive;
    const mass = [...alive].reduce((sum, expert) => sum + usage[expert], 0);
    const shares = usage.map((share, expert) => (alive.has(expert) ? (mass > 0 ? share / mass : 1 / alive.size) : -1));
    const above = [...alive].filter((expert) => shares[expert] > beta / alive.size);
    return new Set(step >= steps / 2 || above.length < keep ? byFallingUsage(shares).slice(0, keep) : above);
  }
}
