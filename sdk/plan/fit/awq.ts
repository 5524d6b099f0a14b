import { type Grouped, groupedValues, nearestCode, packGrouped, storedScales } from "../../tensor/formats/grouped.js";
import { roundHalfEven } from "../../tensor/formats/int4.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import { badFit, checkOptions, groupedOf, isFlag, isWhole } from "./fit-options.js";
import type { Fitter } from "./fitter.js";

export interface AwqOptions {
  /** rows of the sample that the statistic holds at most: "inputs.512" */
  rows?: number;
  /** scales of inputs are 0, 1/steps, … of their mean magnitudes' power */
  steps?: number;
  /** default true: ranges are cut where that brings the outputs nearer */
  clip?: boolean;
  /** scales also follow how large the weights of an input are within their groups (AutoAWQ's duo scaling) */
  duo?: boolean;
}

type Shape = readonly [out: number, width: number];

/**
 * Scales of inputs for one power of their mean magnitudes, arXiv:2306.00978: a^ratio, and with `weights` the mean
 * magnitudes of their weights a^ratio / w^(1 - ratio); divided by the root of the largest times the smallest.
 */
export function awqScales(inputs: ArrayLike<number>, ratio: number, weights?: ArrayLike<number>): Float64Array {
  const scales = Float64Array.from(inputs as number[],
    (mean, j) => Math.max(1e-4, mean ** ratio / (weights ? weights[j] ** (1 - ratio) + 1e-4 : 1)));
  const middle = Math.sqrt(Math.max(...scales) * Math.min(...scales));
  return scales.map((scale) => scale / middle);
}

/** [in] mean over rows of |w| as a share of the largest of its group. */
export function meanWeights(weight: ArrayLike<number>, [out, width]: Shape, group: number): Float64Array {
  const means = new Float64Array(width);
  for (let r = 0; r < out; r++)
    for (let start = 0; start < width; start += group || width) {
      const end = Math.min(width, start + (group || width));
      let most = 0;
      for (let j = start; j < end; j++) most = Math.max(most, Math.abs(weight[r * width + j]));
      for (let j = start; j < end; j++) means[j] += Math.abs(weight[r * width + j]) / (most + 1e-6) / out;
    }
  return means;
}

/** The power whose loss is the least; of equals the smallest. @param lossOf of the matrices with these scales */
export function bestScales(
  inputs: ArrayLike<number>,
  steps: number,
  lossOf: (scales: Float64Array) => number,
  weights?: ArrayLike<number>,
): { scales: Float64Array; losses: number[]; best: number } {
  const all = Array.from({ length: steps }, (_, i) => awqScales(inputs, i / steps, weights));
  const losses = all.map(lossOf);
  const best = losses.indexOf(Math.min(...losses));
  return { scales: all[best], losses, best };
}

/** AWQ's rounding of one group, whose range need not hold 0: the zero is kept among the codes instead. */
function roundGroup(numbers: Float64Array, format: GroupedFormat) {
  const { bits, zero: kind, scales: dtype } = format;
  const top = 2 ** bits - 1;
  const [low, high] = numbers.reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [Infinity,
    -Infinity]);
  const range = Math.fround(kind === "none" ? 2 * Math.max(Math.abs(low), Math.abs(high)) : high - low);
  const [scale] = storedScales(Float32Array.of(Math.max(range, 1e-5) / top), dtype);
  const zero = kind === "none" ? 2 ** (bits - 1) : Math.min(top, Math.max(0, -roundHalfEven(Math.fround(low / scale))));
  return { scale, zero, codes: Array.from(numbers, (each) => nearestCode(each, scale, zero, bits)) };
}

/** Codes of a matrix. @param most [out][groups] what ranges are cut to */
export function awqCodes(
  weight: ArrayLike<number>,
  [out, width]: Shape,
  format: GroupedFormat,
  most?: Float64Array,
): Grouped {
  const size = format.group || width, groups = width / size;
  const found: Grouped = { codes: new Uint8Array(out * width), scales: new Float32Array(out * groups),
    ...(format.zero !== "none" && { zeros: new Float32Array(out * groups) }) };
  for (let r = 0; r < out; r++)
    for (let g = 0; g < groups; g++) {
      const limit = most?.[r * groups + g] ?? Infinity, from = r * width + g * size;
      const group = Float64Array.from({ length: size }, (_, i) => Math.max(-limit, Math.min(limit, weight[from + i])));
      const { scale, zero, codes } = roundGroup(group, format);
      found.codes.set(codes, from);
      found.scales[r * groups + g] = scale;
      if (found.zeros) found.zeros[r * groups + g] = zero;
    }
  return found;
}

/** [out][groups] the range of each group, of ten from its largest magnitude down to 55 % of it, that serves it best. */
export function bestClips(
  weight: ArrayLike<number>,
  [out, width]: Shape,
  rows: ArrayLike<number>,
  format: GroupedFormat,
): Float64Array {
  const size = format.group || width, groups = width / size, count = rows.length / width;
  const best = new Float64Array(out * groups);
  for (let r = 0; r < out; r++)
    for (let g = 0; g < groups; g++) {
      const group = Float64Array.from({ length: size }, (_, i) => weight[r * width + g * size + i]);
      const largest = group.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
      let least = Infinity;
      for (let i = 0; i < 10; i++) {
        const most = Math.fround(largest * (1 - i / 20)); // both ends cut: a tie that float32 decides
        const { scale, zero, codes } = roundGroup(group.map((each) => Math.max(-most, Math.min(most, each))), format);
        let error = 0;
        for (let t = 0; t < count; t++) {
          let wrong = 0;
          for (let k = 0; k < size; k++)
            wrong += rows[t * width + g * size + k] * ((codes[k] - zero) * scale - group[k]);
          error += wrong * wrong;
        }
        if (error < least) [least, best[r * groups + g]] = [error, most];
      }
    }
  return best;
}

/**
 * AWQ for one matrix: inputs that are large get finer steps, by scales that are found by the matrix' own outputs, then
 * ranges are cut.
 *
 * @param rows of the inputs, row by row
 */
export function awqGrouped(
  weight: Float32Array,
  shape: Shape,
  rows: Float32Array,
  format: GroupedFormat,
  { steps = 20, clip = true, duo = false }: AwqOptions = {},
): Grouped {
  const [out, width] = shape;
  const count = rows.length / width;
  const means = new Float64Array(width);
  rows.forEach((value, i) => (means[i % width] += Math.abs(value) / count));
  const scaled = (scales: ArrayLike<number>) => Float64Array.from(weight, (value, i) => value * scales[i % width]);
  const lossOf = (scales: Float64Array) => {
    const inputs = storedScales(Float32Array.from(scales), format.scales);
    const values = groupedValues({ ...awqCodes(scaled(inputs), shape, format), inputs }, shape, format);
    return outputError(weight, values, shape, rows);
  };
  const found = format.inputs
    ? bestScales(means, steps, lossOf, duo ? meanWeights(weight, shape, format.group) : undefined).scales
    : new Float64Array(width).fill(1);
  const inputs = storedScales(Float32Array.from(found), format.scales);
  const own = scaled(inputs);
  const most = clip
    ? bestClips(own, [out, width], rows.map((value, i) => value / inputs[i % width]), format)
    : undefined;
  return { ...awqCodes(own, shape, format, most), ...(format.inputs && { inputs }) };
}

/** The mean of squares that outputs differ by. */
function outputError(one: Float32Array, other: Float32Array, [out, width]: Shape, rows: Float32Array): number {
  const count = rows.length / width;
  let sum = 0;
  for (let r = 0; r < out; r++) {
    const wrong = Float64Array.from({ length: width }, (_, j) => other[r * width + j] - one[r * width + j]);
    for (let t = 0; t < count; t++) {
      let y = 0;
      for (let j = 0; j < width; j++) y += wrong[j] * rows[t * width + j];
      sum += y * y;
    }
  }
  return sum / (count * out);
}

/** Statistic: a sample of the inputs [up to `rows`, in]. Options: `AwqOptions`; scales need a format with `inputs`. */
export const awq: Fitter = {
  check(want) {
    const { zero, bits } = groupedOf("awq", want);
    if (zero === "real" || bits === 1)
      throw badFit("awq", "the format is of another kind", "2 bits or more, zero not real");
    checkOptions("awq", want.options, { rows: isWhole, steps: isWhole, clip: isFlag, duo: isFlag });
  },
  statistic: ([, width], { options: { rows = 512 } }) => [rows as number, width],
  upTo: true,
  async fit(weight, shape, want, seen) {
    const format = groupedOf("awq", want);
    return {
      codes: packGrouped(awqGrouped(weight, shape, await seen.statistic(), format, want.options as AwqOptions), shape,
        format),
    };
  },
  work: ([out, width], { options: { rows = 512, steps = 20 } }) => ({ holds: 6 * out * width,
    multiplies: ((steps as number) + 10) * (rows as number) * out * width }),
};
