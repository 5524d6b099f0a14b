import { MoeError, suggest } from "../errors.js";
import type { Range, TensorStore } from "./tensor-store.js";

/**
 * How a canonical weight lies in a tensor that holds more than it, or holds it differently: a value of a family file's
 * `names`.
 */
export interface Layout {
  /** name on disk */
  name: string;
  /** the tensor holds all experts: one per index of a new first axis, or one block of rows after the other */
  expert?: "first-axis" | "rows";
  /** canonical weights (their last word) whose rows follow one another; this one is among them */
  stack?: string[];
  /** the stacked weights take turns row by row */
  interleaved?: boolean;
  /** a matrix is stored [in, out] */
  transpose?: boolean;
  /** index of an axis of length 1 that is stored and that the weight does not have */
  squeeze?: number;
  /** read where a checkpoint has it; a new checkpoint gets the next name */
  optional?: boolean;
}

/** Where one canonical weight lies on disk. */
export interface Place {
  /** tensor on disk */
  name: string;
  /** shape of the weight */
  shape: number[];
  /** shape of the whole tensor on disk */
  diskShape: number[];
  /** rows of the tensor's first axis that hold the weight; absent: all */
  rows?: Range;
  /** what these rows hold is a matrix [in, out] of this many outputs */
  transposed?: number;
  /** then the weight's row i is row start + i step; absent: all rows in order */
  pick?: { start: number; step: number };
}

/**
 * Resolves a layout for one weight.
 *
 * @param shape of the weight
 * @param heights number of rows of each weight that is stacked with it, by last word
 * @param expert index of the expert and the number of stored experts
 * @example placeOf({ name: "input_linear.weight", expert: "first-axis", stack: ["gate", "up"] }, "up", [20, 32], {
 *   gate: 20, up: 20 }, { at: 5, of: 6 })
 */
export function placeOf(
  layout: Layout,
  part: string,
  shape: number[],
  heights: Record<string, number>,
  expert?: { at: number; of: number },
): Place {
  const { name, transpose = false, squeeze, stack = [part], interleaved } = layout;
  const strange = stack.find((other) => !Object.hasOwn(heights, other));
  if (strange !== undefined)
    throw new MoeError("bad-family",
      `load: ${name} would hold "${strange}" beside ${part}. ${suggest(strange, Object.keys(heights))} Correct the `
        + "\"stack\" of the family file.");
  const total = stack.reduce((sum, other) => sum + heights[other], 0);
  const before = stack.slice(0, stack.indexOf(part)).reduce((sum, other) => sum + heights[other], 0);
  const turned = transpose && shape.length === 2;
  const block = turned ? [shape[1], total] : total === shape[0] ? shape : [total, ...shape.slice(1)];
  const diskShape = squeeze === undefined ? block : [...block.slice(0, squeeze), 1, ...block.slice(squeeze)];
  const place: Place = { name, shape, diskShape };
  if (turned) place.transposed = total;
  if (stack.length > 1)
    place.pick = interleaved ? { start: stack.indexOf(part), step: stack.length } : { start: before, step: 1 };
  if (expert && layout.expert === "first-axis") {
    place.diskShape = [expert.of, ...block];
    place.rows = { start: expert.at, end: expert.at + 1 };
  } else if (expert && layout.expert === "rows") {
    place.diskShape = [expert.of * block[0], ...block.slice(1)];
    place.rows = { start: expert.at * block[0], end: (expert.at + 1) * block[0] };
  }
  // stacked rows of plain matrices are a range of bytes of their own
  if (place.pick && !interleaved && !turned && place.rows?.start === undefined) {
    place.rows = { start: before, end: before + shape[0] };
    delete place.pick;
  }
  return place;
}

/** The numbers of the rows that hold a weight, and of what takes turns with it there: only their bytes are read. */
export async function readBlock(store: TensorStore, { name, rows, transposed }: Place): Promise<Float32Array> {
  const stored = await store.values(name, rows);
  return transposed === undefined ? stored : transpose(stored, transposed);
}

/** The rows of a block that are a weight's own; the block itself where it has them all. */
export function ownRows(block: Float32Array, { shape, pick }: Place): Float32Array {
  if (!pick) return block;
  const height = shape[0];
  const width = shape.slice(1).reduce((product, n) => product * n, 1);
  const own = new Float32Array(height * width);
  for (let row = 0; row < height; row++) {
    const from = (pick.start + row * pick.step) * width;
    own.set(block.subarray(from, from + width), row * width);
  }
  return own;
}

/** [in, out] -> [out, in] */
function transpose(values: Float32Array, outputs: number): Float32Array {
  const inputs = values.length / outputs;
  const turned = new Float32Array(values.length);
  for (let i = 0; i < inputs; i++) for (let o = 0; o < outputs; o++) turned[o * inputs + i] = values[i * outputs + o];
  return turned;
}
