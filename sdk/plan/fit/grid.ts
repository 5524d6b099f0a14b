import { nearestCode, storedScales } from "../../tensor/formats/grouped.js";
import { roundHalfEven } from "../../tensor/formats/int4.js";
import type { GroupedFormat } from "../../tensor/formats/number-format.js";
import type { Columns } from "./by-columns.js";

/**
 * How the range of a group is found: its extent; of 80 shrunk ones the best (GPTQ's mse); or the best within 10 percent
 * of it, larger and smaller (Mixture Compressor).
 */
export type RangeSearch = "none" | "shrink" | "around";

/** Scale and zero [out] of one group of columns. */
export interface Grid {
  scales: Float32Array;
  zeros: Float32Array;
}

/** sum |w - w'|^2.4 is the error that both searches make small */
const NORM = 2.4;

const factors: Record<RangeSearch, number[]> = {
  none: [1],
  shrink: Array.from({ length: 80 }, (_, i) => 1 - i / 100),
  around: [1, ...Array.from({ length: 50 }, (_, i) => 1 + (i + 1) * 0.002),
    ...Array.from({ length: 50 }, (_, i) => 1 - (i + 1) * 0.002)],
};

/** Scales and zeros for columns that share them; 0 is always in the range. Of one bit: mean |w| and its sign. */
export function gridOf(columns: Columns, format: GroupedFormat, search: RangeSearch = "none"): Grid {
  const out = columns[0].length;
  const grid: Grid = { scales: new Float32Array(out), zeros: new Float32Array(out) };
  const { bits, zero, scales: dtype } = format;
  const top = 2 ** bits - 1;
  const rounded = (numbers: number[]) => Array.from(storedScales(Float32Array.from(numbers), dtype));
  for (let r = 0; r < out; r++) {
    let [low, high, sum] = [0, 0, 0];
    for (const column of columns) {
      low = Math.min(low, column[r]);
      high = Math.max(high, column[r]);
      sum += Math.abs(column[r]);
    }
    if (bits === 1) {
      const [scale] = rounded([sum / columns.length]);
      [grid.scales[r], grid.zeros[r]] = zero === "none" ? [scale, 0.5] : [2 * scale, 0.5];
      continue;
    }
    if (low === 0 && high === 0) [low, high] = [-1, 1];
    if (zero === "none") [low, high] = [-Math.max(-low, high), Math.max(-low, high)];
    let least = Infinity;
    for (const factor of factors[search]) {
      const exact = factor * (high - low) / top;
      const [scale] = rounded([exact]);
      const shift = zero === "none"
        ? 2 ** (bits - 1)
        : zero === "integer"
        ? Math.min(top, Math.max(0, roundHalfEven(-factor * low / scale)))
        : rounded([-factor * low / scale])[0];
      let error = 0;
      if (search !== "none") {
        for (const column of columns)
          error += Math.abs(scale * (nearestCode(column[r], scale, shift, bits) - shift) - column[r]) ** NORM;
      }
      if (!(error < least)) continue;
      least = error;
      [grid.scales[r], grid.zeros[r]] = [scale, shift];
    }
  }
  return grid;
}

/** The code of each number of a column. */
export function codesOf(column: Float64Array, { scales, zeros }: Grid, { bits, zero }: GroupedFormat): Uint8Array {
  const sign = bits === 1 && zero === "none";
  return Uint8Array.from(column, (value, r) => nearestCode(value, scales[r], sign ? undefined : zeros[r], bits));
}

/** The numbers that codes stand for. */
export function numbersOf(codes: Uint8Array, { scales, zeros }: Grid, { bits, zero }: GroupedFormat): Float64Array {
  const twice = bits === 1 && zero === "none" ? 2 : 1;
  return Float64Array.from(codes, (code, r) => (code - zeros[r]) * twice * scales[r]);
}
