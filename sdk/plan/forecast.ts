import type { WeightSource } from "../checkpoint/weight-source.js";
import { cost, type Shape } from "../evaluate/cost.js";
import { moeLayers, type ModelSpec, type MoeFfnSpec } from "../model/spec.js";
import { checkPlan } from "./check.js";
import type { Plan, SlotRecipe } from "./plan.js";
import { plannedSpec } from "./planned-spec.js";

/** What a plan will come to, before anything is done. */
export interface Forecast {
  parameters: { before: number; after: number };
  /** of the checkpoint when each tensor keeps its number format */
  sizeBytes: { before: number; after: number };
  flopsPerToken: { before: number; after: number };
  /** most bytes that apply holds at once while the model is written tensor by tensor, float32 */
  peakBytes: number;
  /** multiply-adds of apply: alignment, sums, factors */
  applyOperations: number;
  /** `applyOperations` at the given speed */
  applyMs: number;
}

export interface ForecastOptions {
  /** what runs, for the FLOPs; default one token of one sequence */
  shape?: Shape;
  /** for sizes in the checkpoint's own number formats; default float32 throughout */
  weights?: Pick<WeightSource, "has" | "info">;
  /** multiply-adds per second of this machine; default 5e9, about one core without vector units */
  speed?: number;
}

/**
 * Computes what a plan costs and saves from the architecture alone; no weight is read.
 *
 * @throws MoeError `bad-plan`
 * @example forecast(spec, plan).parameters  // { before: 1978520064, after: 732810240 }
 */
export function forecast(spec: ModelSpec, plan: Plan, { shape, weights, speed = 5e9 }: ForecastOptions = {}): Forecast {
  const checked = checkPlan(plan, spec);
  const [before, after] = [cost(spec, shape), cost(plannedSpec(spec, checked), shape)];
  const bytes = bytesPerParameter(spec, weights);
  const work = moeLayers(spec).map(({ id, ffn }) => workOf(ffn, checked.layers[id]?.slots ?? [], spec.width));
  const applyOperations = work.reduce((sum, { operations }) => sum + operations, 0);
  return {
    parameters: { before: before.parameters.total, after: after.parameters.total },
    sizeBytes: { before: before.parameters.total * bytes, after: after.parameters.total * bytes },
    flopsPerToken: { before: before.flopsPerToken, after: after.flopsPerToken },
    peakBytes: Math.max(0, ...work.map(({ bytes }) => bytes)),
    applyOperations,
    applyMs: (applyOperations / speed) * 1000,
  };
}

/** mean bytes of a number in the MoE layers, which hold nearly all of them */
function bytesPerParameter(spec: ModelSpec, weights?: ForecastOptions["weights"]): number {
  if (!weights) return 4;
  let [bytes, numbers] = [0, 0];
  for (const { id, ffn } of moeLayers(spec)) {
    ffn.slots.forEach((_, slot) => {
      const name = `${id}.experts.${slot}.up`;
      if (!weights.has(name)) return;
      const { sizeBytes, shape } = weights.info(name);
      bytes += sizeBytes;
      numbers += shape.reduce((a, b) => a * b, 1);
    });
  }
  return numbers > 0 ? bytes / numbers : 4;
}

/** operations of one layer, and the bytes of its most demanding step */
function workOf(ffn: MoeFfnSpec, slots: SlotRecipe[], D: number): { operations: number; bytes: number } {
  const matrices = ffn.gated ? 3 : 2;
  const matched = new Set<string>();
  let [operations, bytes] = [0, 0];
  for (const recipe of slots) {
    const F = ffn.slots[ffn.expertOf[recipe.from[0].expert]].width;
    const matrix = F * D;
    const changes = recipe.from.length > 1 || recipe.elementwise !== undefined;
    if (changes) operations += recipe.from.length * matrices * matrix * (recipe.elementwise ? 3 : 1);
    // total, source, its permuted copy and the weighted one
    if (changes) bytes = Math.max(bytes, 4 * 4 * matrix);
    if (recipe.zip) {
      operations += recipe.from.length * matrices * F * matrix;
      bytes = Math.max(bytes, 4 * (4 * matrix + 2 * F * F));
    }
    if (recipe.align && !recipe.align.permutations) {
      const reference = recipe.align.to === "first" ? ffn.expertOf.find((slot) => slot >= 0) : ffn.expertOf[recipe.from[0].expert];
      for (const { expert } of recipe.from) {
        const pair = `${reference} ${ffn.expertOf[expert]}`;
        if (ffn.expertOf[expert] === reference || matched.has(pair)) continue;
        matched.add(pair);
        // the products of the score, and an assignment of about F^2.5 steps on real scores
        operations += matrices * F * matrix + F ** 2.5;
        // two experts, the score and the sum that it is added to, and the assignment's copy
        bytes = Math.max(bytes, 4 * (2 * matrices * matrix + 3 * F * F));
      }
    }
    if (recipe.form?.form === "low-rank-sparse") {
      // a thin decomposition takes about 14 m n^2; input, factors in float64, remainder
      operations += matrices * (14 * Math.max(F, D) * Math.min(F, D) ** 2 + matrix * recipe.form.rank);
      bytes = Math.max(bytes, 8 * (2 * matrix + Math.min(F, D) ** 2) + 8 * matrix);
    }
  }
  return { operations, bytes };
}
