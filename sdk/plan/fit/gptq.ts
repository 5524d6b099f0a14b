import type { Grouped } from "../../tensor/formats/grouped.js";
import { packGrouped } from "../../tensor/formats/grouped.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import { byColumns, columnsOf } from "./by-columns.js";
import { badFit, checkOptions, from0, groupedOf, isFlag, isOneOf, isWhole } from "./fit-options.js";
import type { Fitter } from "./fitter.js";
import { codesOf, type Grid, gridOf, numbersOf, type RangeSearch } from "./grid.js";

export interface GptqOptions {
  /** columns whose errors are carried on together */
  block?: number;
  /** added to the diagonal of the Gram matrix, as a share of its mean */
  damping?: number;
  /** columns of the largest inputs first; their groups then follow that order, unless `staticGroups` */
  actOrder?: boolean;
  /** scales of all groups come from the weights as they are given */
  staticGroups?: boolean;
  search?: RangeSearch;
  /** false: errors are not carried within a block, as MC-MoE is released for up to 3 bits */
  withinBlock?: boolean;
}

/**
 * GPTQ (arXiv:2210.17323): rounds column by column and lets later columns make up for the error. Scales are those of
 * the numbers that the matrix has when its group begins: what the same block carried to them is not in there yet, as
 * in the released code.
 *
 * @param gram [in, in] sum of x x^T over the inputs
 */
export function gptqCodes(
  weight: Float32Array,
  shape: readonly [number, number],
  gram: Float32Array,
  format: GroupedFormat,
  { block = 128, damping = 0.01, actOrder = false, staticGroups = false, search = "none", withinBlock = true }:
    GptqOptions = {},
): Grouped {
  const [out, width] = shape;
  const size = format.group || width;
  const groups = Math.ceil(width / size);
  const given = columnsOf(weight, shape);
  // inputs that are always 0 have no part in static groups, and one in the scale of a whole row
  if (staticGroups) given.forEach((column, j) => gram[j * (width + 1)] === 0 && column.fill(0));
  const grids: Grid[] = staticGroups || groups === 1
    ? Array.from({ length: groups }, (_, g) => gridOf(given.slice(g * size, (g + 1) * size), format, search))
    : [];
  const codes: Uint8Array[] = [];
  const { order } = byColumns(weight, shape, gram, { block, damping, byDiagonal: actOrder, withinBlock }, {
    round({ at, column }, values, _, all) {
      const group = Math.floor((staticGroups ? column : at) / size);
      grids[group] ??= gridOf(all.slice(at, at + size), format, search);
      const found = codesOf(values, grids[group], format);
      codes.push(found);
      return numbersOf(found, grids[group], format);
    },
  });
  const grouped: Grouped = { codes: new Uint8Array(out * width), scales: new Float32Array(out * groups),
    ...(format.zero !== "none" && { zeros: new Float32Array(out * groups) }) };
  order.forEach((j, at) => codes[at].forEach((code, r) => (grouped.codes[r * width + j] = code)));
  grids.forEach(({ scales, zeros }, g) => {
    for (let r = 0; r < out; r++) {
      grouped.scales[r * groups + g] = scales[r];
      if (grouped.zeros) grouped.zeros[r * groups + g] = zeros[r];
    }
  });
  if (format.order) {
    grouped.order = new Int32Array(width);
    order.forEach((j, at) => (grouped.order![j] = Math.floor((staticGroups ? j : at) / size)));
  }
  return grouped;
}

const accepted = { block: isWhole, damping: from0, actOrder: isFlag, staticGroups: isFlag,
  search: isOneOf("none", "shrink", "around"), withinBlock: isFlag };

/** Statistic: the Gram matrix of the inputs [in, in]. Options: `GptqOptions`. */
export const gptq: Fitter = {
  check(want) {
    const format = groupedOf("gptq", want);
    checkOptions("gptq", want.options, accepted);
    const { actOrder, staticGroups } = want.options as GptqOptions;
    const needsOrder = actOrder === true && !staticGroups && format.group > 0;
    if (needsOrder && !format.order)
      throw badFit("gptq", "actOrder puts inputs into groups that are no neighbours",
        "a format with { order: true }, or { staticGroups: true }");
  },
  statistic: ([, width]) => [width, width],
  async fit(weight, shape, want, seen) {
    const format = groupedOf("gptq", want);
    const found = gptqCodes(weight, shape, await seen.statistic(), format, want.options as GptqOptions);
    return { codes: packGrouped(found, shape, format) };
  },
  work: ([out, width]) => ({ holds: 6 * out * width + 6 * width ** 2, multiplies: out * width ** 2,
    decompositions: [[width, width]] }),
};
