import { type ExpertSpec, type LayerId, type ModelSpec, type MoeFfnSpec, moeLayers } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import type { Plan, SlotRecipe } from "./plan.js";
import { referenceSlot } from "./reference-slot.js";

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
  /** most bytes held at once beyond the model, in tensors and in arrays */
  peakBytes: number;
}

/**
 * Counts the work of a plan: what is read, summed, multiplied, assigned and decomposed. Slots that are an expert as it
 * is
 * are only read.
 *
 * @param planned the architecture that the plan leads to
 * @param weights tell whether they are read from a file, and in which format; absent: they are in memory
 */
export function applyWork(spec: ModelSpec, plan: Plan, planned: ModelSpec, weights?: WeightSource): ApplyWork {
  const total = noWork();
  for (const { work } of slotWorks(spec, plan, planned, weights)) {
    for (const key of ["numbers", "multiplies", "pairings"] as const) total[key] += work[key];
    total.assignments.push(...work.assignments);
    total.decompositions.push(...work.decompositions);
    total.peakBytes = Math.max(total.peakBytes, work.peakBytes);
  }
  return total;
}

/** The same for each slot by itself, in running order; an alignment is counted where it is needed first. */
export function slotWorks(
  spec: ModelSpec,
  plan: Plan,
  planned: ModelSpec,
  weights?: WeightSource,
): { layer: LayerId; slot: number; work: ApplyWork }[] {
  const after = new Map(moeLayers(planned).map(({ id, ffn }) => [id, ffn]));
  return moeLayers(spec).flatMap(({ id, ffn }) => {
    const change = plan.layers[id];
    if (!change?.slots || change.drop === "layer" || change.drop === "ffn") return [];
    const matched = new Set<string>();
    return change.slots.map((recipe, slot) => {
      const work = noWork();
      addSlot(work, ffn, recipe, after.get(id)!.slots[slot], spec.width, matched,
        reading(weights, `${id}.experts.${ffn.expertOf[recipe.from[0].expert]}`));
      return { layer: id, slot, work };
    });
  });
}

function noWork(): ApplyWork {
  return { numbers: 0, multiplies: 0, assignments: [], decompositions: [], pairings: 0, peakBytes: 0 };
}

/** What reading an expert from a file takes; undefined: it is in memory. */
interface Reading {
  /** of the four bytes of a number in memory, those that it has in the file */
  share: number;
  /** numbers of four bytes held while a matrix is read, with the matrix */
  matrix: number;
}

function reading(weights: WeightSource | undefined, expert: string): Reading | undefined {
  const held = ["up", "gate", "down"].map((matrix) =>
    (weights?.has(`${expert}.${matrix}`) && weights.peakReadBytes?.(`${expert}.${matrix}`)) || 0
  );
  if (Math.max(...held) === 0) return undefined;
  const { sizeBytes, shape } = weights!.info(`${expert}.up`);
  return { share: sizeBytes / 4 / shape.reduce((a, b) => a * b, 1), matrix: Math.max(...held) / 4 };
}

function addSlot(
  work: ApplyWork,
  ffn: MoeFfnSpec,
  recipe: SlotRecipe,
  planned: ExpertSpec,
  D: number,
  matched: Set<string>,
  file: Reading | undefined,
): void {
  const F = ffn.slots[ffn.expertOf[recipe.from[0].expert]].width;
  const matrices = ffn.gated ? 3 : 2;
  const size = matrices * F * D;
  const sources = recipe.from.length;
  const sizes = { F, D, size, file, lastRead: (file?.share ?? 0) * F * D };
  const moved = recipe.align !== undefined
    && referenceSlot(ffn, recipe.align, recipe.from) !== ffn.expertOf[recipe.from[0].expert];
  const made = sources > 1 || moved || recipe.elementwise !== undefined || recipe.zip !== undefined
    || recipe.form?.form === "low-rank-sparse";
  // what is handed out as it is lies in memory once, as an array
  work.numbers += size * (made ? sources + 1 : 1);
  if (!made) return holds(work, Math.max(F * D + sizes.lastRead, file?.matrix ?? 0)); // one matrix after another
  if (recipe.zip) addZip(work, recipe, sizes);
  else addSum(work, ffn, recipe, sizes, matched);
  if (recipe.form?.form === "low-rank-sparse" && planned.form === "low-rank-sparse") {
    const { rank } = recipe.form;
    for (const [out, width] of [...new Array<[number, number]>(matrices - 1).fill([F, D]),
      [D, F] as [number, number]]) {
      work.decompositions.push([out, width]);
      work.multiplies += out * width * rank;
      // the expert; of one matrix three copies in double precision and the vectors of the smaller side, in ml-matrix as
      // in LAPACK
      holds(work, size + 6 * out * width + 2 * Math.min(out, width) ** 2 + sizes.lastRead);
    }
  }
}

interface Sizes {
  F: number;
  D: number;
  /** numbers of an expert */
  size: number;
  file: Reading | undefined;
  /** what was read last from a file is held until the next is read: a matrix */
  lastRead: number;
}

/** The weighted sum of sources, each in the order of neurons that it is given: `SlotWeights.slot` step by step. */
function addSum(
  work: ApplyWork,
  ffn: MoeFfnSpec,
  { from, align, elementwise }: SlotRecipe,
  { F, D, size, file, lastRead }: Sizes,
  matched: Set<string>,
): void {
  const matrix = F * D;
  const sums = size * (elementwise ? 2 : 1);
  // each source is moved and weighed, then added; elementwise weights twice
  work.numbers += size * from.length * (elementwise ? 6 : 2);
  const reference = align && !align.permutations ? referenceSlot(ffn, align, from) : undefined;
  // the layer's first expert, as an array
  const kept = lastRead + (align?.to === "first" && reference !== undefined ? size : 0);
  from.forEach(({ expert }, at) => {
    const slot = ffn.expertOf[expert];
    const leads = reference !== undefined && align!.to === "leader" && at > 0;
    // this source and the next as it is read, the sums so far, the leader
    const held = kept + size * (at + 1 < from.length ? 1 + (file?.share ?? 1) : 1) + (at > 0 ? sums : 0)
      + (leads ? size : 0);
    const moved = align?.permutations
      ? align.permutations[expert] !== undefined
      : reference !== undefined && slot !== reference;
    if (moved && reference !== undefined && !matched.has(`${reference} ${slot}`)) {
      matched.add(`${reference} ${slot}`);
      work.multiplies += F * size;
      work.numbers += size;
      work.assignments.push(F);
      // the expert that is aligned to, the products and their sums
      holds(work, held + (leads ? 0 : size) + (ffn.gated ? 5 : 3) * F * F);
    }
    const inHand = elementwise ? 2 * matrix : 0;
    holds(work, held + inHand + (moved ? matrix : 0) + (at > 0 ? 2 * matrix : elementwise ? sums - matrix : sums));
  });
}

/** Neurons merged in their places, one matrix of a source after another. */
function addZip(work: ApplyWork, { from, zip }: SlotRecipe, { F, D, size, file, lastRead }: Sizes): void {
  // each neuron of a source is added in its place
  work.numbers += 2 * size * from.length;
  // the sums, a matrix of a source, and in double precision what takes each place and how many
  holds(work, size + Math.max(F * D + lastRead, file?.matrix ?? 0) + 4 * F);
  if (zip !== "weights") return;
  const n = from.length * F;
  work.multiplies += (n * n * size) / F;
  work.pairings += ((n - F) * n * n) / 2;
  holds(work, 2 * size + F * D + from.length * size + lastRead);
  // weights of all neurons in both precisions, and their products in double precision
  holds(work, 3 * from.length * size + 2 * n * n + lastRead);
}

/** numbers of four bytes at the same time */
function holds(work: ApplyWork, numbers: number): void {
  work.peakBytes = Math.max(work.peakBytes, 4 * numbers);
}
