import { mergedLayers } from "../method/layers-to-change.js";
import { type Changes, method } from "../method/method.js";
import { excludeNone } from "../method/usual-options.js";
import type { WeightPlan } from "../plan/plan.js";
import { BIT_WIDTHS } from "../profile/observers/bit-errors.js";
import type { LayerProfile } from "../profile/profile.js";
import { statistic } from "../profile/statistic.js";
import { Rng } from "../tensor/rng.js";
import { allocateBits } from "./allocate-bits.js";
import { fitWeights } from "./fit-weights.js";

const exponent = (of: string, usual: number) => ({ about: `exponent of ${of}`, from: 0, default: usual }) as const;

/**
 * PMQ of Mixture Compressor, arXiv:2410.06270: every expert of a layer gets 1, 2 or 3 bits, so that together they take
 * `bits` on average and lose least by how often they are chosen, how much the router gives them, and what rounding
 * them does to the layer's output (equation 4). Then GPTQ; the other matrices get `others` bits.
 *
 * @example await moe.load("nano-switch").profile().compress({ method: "mixture-compressor", bits: 2, group: 16 })
 */
export const mixtureCompressor = method({
  name: "mixture-compressor",
  paper: "arXiv:2410.06270",
  kind: "compress",
  about: "gives each expert 1, 2 or 3 bits by how much it counts, and rounds by GPTQ",
  options: {
    bits: { about: "of an expert's weight, on average over the layer", above: 1, to: 3, default: 2 },
    group: { about: "inputs of a row that share a scale; 0: the whole row", from: 0, whole: true, default: 128 },
    alpha: exponent("how often an expert is chosen", 1),
    beta: exponent("what the router gives it", 1.5),
    gamma: exponent("what rounding it does; 1 as released", 2),
    by: {
      about:
        `what the bits follow: "all" three; "frequency", "weight" or "error" alone; "random", the widths of "all" in
        a drawn order; "uniform", the same whole number for each`,
      words: ["all", "frequency", "weight", "error", "random", "uniform"],
      default: "all",
    },
    others: { about: "bits of matrices that are no expert's; 0: they stay", from: 0, to: 8, whole: true, default: 4 },
    withinBlock: {
      about: "GPTQ carries errors on within a block of columns; false as released for up to 3 bits",
      default: true,
    },
    seed: { about: "of what is drawn at random", whole: true, default: 0 },
    exclude: excludeNone,
  },
  needs:
    ({ group, others }) => ["chosenGateMass", `bitErrors.${group}`, others > 0 ? "gram.inputs" : "gram.inputs.experts"],

  plan(profile, { bits, group, others, withinBlock, seed, exclude, ...cost }) {
    const gram = others > 0 ? "gram.inputs" : "gram.inputs.experts";
    const fitted = (width: number): WeightPlan => ({
      format: { kind: "grouped", bits: width as 1, group, zero: width === 1 ? "none" : "real", scales: "F16" },
      fit: { by: "gptq", statistic: gram, options: { search: "around", ...(!withinBlock && { withinBlock }) } },
    });
    const rest = others > 0
      ? fitWeights(profile, "all", "gram.inputs", { seen: fitted(others), unseen: fitted(others) }).weights!
      : {};
    const changes: Changes = { layers: {},
      weights: Object.fromEntries(Object.entries(rest).filter(([name]) => !name.includes(".experts."))) };
    const rng = new Rng(seed);
    for (const id of mergedLayers(profile, exclude)) {
      const layer = profile.layers[id];
      const used = usedSlots(layer);
      const errors = statistic<number[][]>(profile, id, `bitErrors.${group}`, `bitErrors.${group}`);
      const mass = statistic<number[]>(profile, id, "chosenGateMass", "chosenGateMass");
      const costs = costsOf(layer, mass, errors, cost);
      let widths = cost.by === "uniform"
        ? errors.map(() => Math.round(bits))
        : allocateBits(costs, BIT_WIDTHS, Math.round(bits * errors.length), errors.length > 1 ? [3, 2] : []);
      if (cost.by === "random") widths = rng.shuffle([...widths]);
      widths.forEach((width, slot) => {
        const plan = fitted(width);
        // nothing is known of the inputs of an expert that no token chose
        changes.weights![`${id}.experts.${slot}.`] = used.has(slot) ? plan : { format: plan.format };
      });
    }
    return changes;
  },
});

export interface CostOptions {
  alpha: number;
  beta: number;
  gamma: number;
  by?: string;
}

/** [S][widths] phi^alpha w^beta eps^gamma of each stored expert: shares of choices and of gates, and errors. */
export function costsOf(
  { counts, expertOf }: Pick<LayerProfile, "counts" | "expertOf">,
  mass: readonly number[],
  errors: readonly (readonly number[])[],
  { alpha, beta, gamma, by = "all" }: CostOptions,
): number[][] {
  const shares = (of: readonly number[]) => {
    const slots = errors.map(() => 0);
    of.forEach((each, e) => {
      const slot = expertOf?.[e] ?? e;
      if (slot >= 0) slots[slot] += each;
    });
    const total = slots.reduce((sum, each) => sum + each, 0);
    return slots.map((each) => each / (total || 1));
  };
  const [phi, w] = [shares(counts), shares(mass)];
  const part = (name: string, value: number) => (["all", "random", name].includes(by) ? value : 1);
  // by one share alone more bits are worth what they take from a weight's range
  const range = (index: number) => 2 ** -BIT_WIDTHS[index];
  return errors.map((row, slot) =>
    row.map((error, index) =>
      part("frequency", phi[slot] ** alpha) * part("weight", w[slot] ** beta)
      * (by === "frequency" || by === "weight" ? range(index) : error ** gamma)
    )
  );
}

function usedSlots({ counts, expertOf }: LayerProfile): Set<number> {
  return new Set(counts.flatMap((count, e) => (count > 0 ? [expertOf?.[e] ?? e] : [])));
}
