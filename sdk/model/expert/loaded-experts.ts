import { disposeWeights, type LayerWeights } from "../held-weights.js";
import { banksOf, readBank } from "../layer-weights.js";
import type { MemoryBudget } from "../memory-budget.js";
import type { ExpertReader } from "../pass.js";
import type { LayerId, MoeFfnSpec } from "../spec.js";
import type { WeightSource } from "../weight-source.js";
import { singleExpert } from "./moe-block.js";

/** The experts of a layer that is larger than memory, for handlers of a sweep that run experts themselves. */
export class LoadedExperts implements ExpertReader {
  private readonly held = new Map<number, LayerWeights>();

  constructor(private readonly of: {
    source: WeightSource;
    path: LayerId;
    ffn: MoeFfnSpec;
    D: number;
    budget: MemoryBudget;
    /** what the layer holds beside its banks: vectors of constant experts */
    plain: LayerWeights;
  }) {}

  /** Reads those of these slots that are not there, and gives the others back. */
  async load(slots: readonly number[]): Promise<void> {
    const { source, path, ffn, D, budget } = this.of;
    for (const slot of this.held.keys()) if (!slots.includes(slot)) this.drop(slot);
    for (const slot of slots) {
      const bank = this.bank(slot);
      if (!bank || this.held.has(slot)) continue;
      budget.use(budget.groupBytes);
      try {
        this.held.set(slot, await readBank(source, path, ffn, bank, D));
      } catch (error) {
        budget.done(budget.groupBytes);
        throw error;
      }
    }
  }

  /** @throws Error for a slot that was not loaded: a fault of the handler */
  expert(slot: number): ReturnType<typeof singleExpert> {
    const weights = this.held.get(slot);
    if (!weights && this.bank(slot)) throw new Error(`expert ${slot} of ${this.of.path} was not loaded`);
    return singleExpert(slot, this.of.ffn, weights ?? this.of.plain, this.bank(slot));
  }

  dispose(): void {
    for (const slot of this.held.keys()) this.drop(slot);
  }

  /** a bank of its own; none for a free expert */
  private bank(slot: number) {
    const bank = banksOf(this.of.ffn, this.of.D).find(({ slots }) => slots.includes(slot));
    return bank && { ...bank, slots: [slot] };
  }

  private drop(slot: number): void {
    disposeWeights(this.held.get(slot)!);
    this.held.delete(slot);
    this.of.budget.done(this.of.budget.groupBytes);
  }
}
