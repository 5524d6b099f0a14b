import { banksOf, disposeWeights, type LayerWeights, readBank } from "../layer-weights.js";
import type { MemoryBudget } from "../memory-budget.js";
import type { ExpertReader } from "../pass.js";
import type { LayerId, MoeFfnSpec } from "../spec.js";
import type { WeightSource } from "../weight-source.js";
import { singleExpert } from "./moe-block.js";

/** The experts of a layer that is larger than memory, for handlers of a sweep that run experts themselves. */
export class LoadedExperts implements ExpertReader {
  private readonly held = new Map<number, LayerWeights>();

  constructor(
    private readonly source: WeightSource,
    private readonly path: LayerId,
    private readonly ffn: MoeFfnSpec,
    private readonly D: number,
    private readonly budget: MemoryBudget,
  ) {}

  /** Reads those of these slots that are not there, and gives the others back. */
  async load(slots: readonly number[]): Promise<void> {
    for (const slot of this.held.keys()) if (!slots.includes(slot)) this.drop(slot);
    for (const slot of slots) {
      const bank = this.bank(slot);
      if (!bank || this.held.has(slot)) continue;
      this.budget.use(this.budget.groupBytes);
      try {
        this.held.set(slot, await readBank(this.source, this.path, this.ffn, bank, this.D));
      } catch (error) {
        this.budget.done(this.budget.groupBytes);
        throw error;
      }
    }
  }

  /** @throws Error for a slot that was not loaded: a fault of the handler */
  expert(slot: number): ReturnType<typeof singleExpert> {
    const weights = this.held.get(slot);
    if (!weights && this.bank(slot)) throw new Error(`expert ${slot} of ${this.path} was not loaded`);
    return singleExpert(slot, this.ffn, weights ?? new Map(), this.bank(slot));
  }

  dispose(): void {
    for (const slot of this.held.keys()) this.drop(slot);
  }

  /** a bank of its own; none for an expert of zeros */
  private bank(slot: number) {
    const bank = banksOf(this.ffn).find(({ slots }) => slots.includes(slot));
    return bank && { ...bank, slots: [slot] };
  }

  private drop(slot: number): void {
    disposeWeights(this.held.get(slot)!);
    this.held.delete(slot);
    this.budget.done(this.budget.groupBytes);
  }
}
