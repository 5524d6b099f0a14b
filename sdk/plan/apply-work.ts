import { moeLayers, type ExpertSpec, type ModelSpec, type MoeFfnSpec } from "../model/spec.js";
import type { Plan, SlotRecipe } from "./plan.js";

/** What apply does while every new weight is made once, counted from the architecture. */
export interface ApplyWork {
  /** float32 numbers that are read from the model, added up or moved, and handed out */
  numbers: number;
  /** multiply-adds of matrix products */
  multiplies: number;
  /** sizes of the assignment problems that are solved */
  assignments: number[];
  /** rows and columns of the matrices that are decomposed */
  decompositions: [number, number][];
  /** numbers of the products that greedy pairing goes through, over all of its steps */
  pairings: number;
  /** most bytes held at once */
  peakBytes: number;
}

/**
 * Counts the work of a plan: what is read, summed, multiplied, assigned and decomposed. Slots that are an expert as it is
 * are only read.
 *
 * @param planned the architecture that the plan leads to
 */
export function applyWork(spec: ModelSpec, plan: Plan, planned: ModelSpec): ApplyWork {
  const work: ApplyWork = { numbers: 0, multiplies: 0, assignments: [], decompositions: [], pairings: 0, peakBytes: 0 };
  const after = new Map(moeLayers(planned).map(({ id, ffn }) => [id, ffn]));
  for (const { id, ffn } of moeLayers(spec)) {
    const change = plan.layers[id];
    if (!change?.slots || change.drop === "layer" || change.drop === "ffn") continue;
    const matched = new Set<string>();
    change.slots.forEach((recipe, slot) => addSlot(work, ffn, recipe, after.get(id)!.slots[slot], spec.width, matched));
  }
  return work;
}

function addSlot(work: ApplyWork, ffn: MoeFfnSpec, recipe: SlotRecipe, planned: ExpertSpec, D: number, matched: Set<string>): void {
  const F = ffn.slots[ffn.expertOf[recipe.from[0].expert]].width;
  const matrices = ffn.gated ? 3 : 2;
  const size = matrices * F * D;
  const sources = recipe.from.length;
  const made = sources > 1 || recipe.elementwise !== undefined || recipe.zip !== undefined || recipe.form?.form === "low-rank-sparse";
  // what is handed out as it is lies in memory once
  work.numbers += size * (made ? sources + 1 : 1);
  let held = size;
  if (sources > 1 || recipe.elementwise) {
    // each source is moved and weighed, then added; elementwise weights twice
    work.numbers += size * sources * (recipe.elementwise ? 6 : 2);
    // a source, what it becomes, the sum, and the divisor beside it
    held = size * (recipe.elementwise ? 5 : 3);
  }
  if (recipe.zip) {
    // each neuron of a source times its place
    work.multiplies += sources * F * size;
    held = Math.max(held, size + 3 * F * D + F * F);
    if (recipe.zip === "weights") {
      const n = sources * F;
      work.multiplies += n * n * matrices * D;
      work.pairings += (n - F) * n * n / 2;
      held = Math.max(held, 2 * sources * size + 2 * n * n);
    }
  }
  if (recipe.align && !recipe.align.permutations && sources > 1) {
    const { to } = recipe.align;
    const reference = to === "first" ? ffn.expertOf.find((slot) => slot >= 0) : ffn.expertOf[to === "leader" ? recipe.from[0].expert : Math.min(...recipe.from.map(({ expert }) => expert))];
    for (const { expert } of recipe.from) {
      const pair = `${reference} ${ffn.expertOf[expert]}`;
      if (ffn.expertOf[expert] === reference || matched.has(pair)) continue;
      matched.add(pair);
      work.multiplies += F * size;
      work.numbers += size;
      work.assignments.push(F);
      // both experts, the sum so far, the score and its parts, and the assignment's own copy
      held = Math.max(held, 3 * size + 4 * F * F);
    }
  }
  if (recipe.form?.form === "low-rank-sparse" && planned.form === "low-rank-sparse") {
    for (const [out, width] of [...new Array<[number, number]>(matrices - 1).fill([F, D]), [D, F] as [number, number]]) {
      work.decompositions.push([out, width]);
      work.multiplies += out * width * recipe.form.rank;
    }
    // the expert, and of one matrix the decomposition in double precision, factors and remainder
    held = Math.max(held, size + 6 * F * D + 2 * Math.min(F, D) ** 2);
  }
  work.peakBytes = Math.max(work.peakBytes, 4 * held);
}
