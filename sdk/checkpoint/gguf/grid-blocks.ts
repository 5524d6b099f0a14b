import { codeTable, f16 } from "../../tensor/formats/float-format.js";
import { type BlockFormat, half } from "./block-format.js";
import { type GridName, gridOf } from "./iq-grids.js";

const { fround } = Math;
const word = (block: Uint8Array, at: number) => block[at] | (block[at + 1] << 8);
const wide = (block: Uint8Array, at: number) => (word(block, at) | (word(block, at + 2) << 16)) >>> 0;

/** Eight signs from seven bits: the last makes their number even. */
function evenSigns(bits: number): number {
  let parity = bits & 127;
  for (let shift = 4; shift > 0; shift >>= 1) parity ^= parity >> shift;
  return (bits & 127) | ((parity & 1) << 7);
}

/** What eight or four numbers of a block are: a point of the grid, times a scale, with these signs. */
interface Run {
  point: number;
  scale: number;
  signs?: number;
  /** added to each number before it is scaled */
  shift?: number;
}

/** @param width numbers of a point */
function onGrid(
  bytes: number,
  grid: GridName,
  width: 4 | 8,
  runOf: (block: Uint8Array, run: number) => Run,
): BlockFormat {
  return {
    values: 256,
    bytes,
    decode(block, values) {
      const points = gridOf(grid);
      for (let run = 0; run < 256 / width; run++) {
        const { point, scale, signs = 0, shift = 0 } = runOf(block, run);
        for (let i = 0; i < width; i++) {
          const number = fround(scale * (points[point * width + i] + shift));
          values[run * width + i] = (signs >> (width === 4 ? i + 4 * (run & 1) : i)) & 1 ? -number : number;
        }
      }
    },
  };
}

const nibble = (block: Uint8Array, at: number, index: number) => (block[at + (index >> 1)] >> (4 * (index & 1))) & 15;
const quarter = (d: number, scale: number) => fround(fround(d * (0.5 + scale)) * 0.25);

/** A half of a run of IQ1_M is spread over the upper bits of four words. */
function spreadHalf(block: Uint8Array): number {
  let bits = 0;
  for (let i = 0; i < 4; i++) bits |= (word(block, 48 + 2 * i) >> 12) << (4 * i);
  return codeTable(f16)[bits];
}

export const gridFormats: Readonly<Record<string, BlockFormat>> = {
  IQ2_XXS: onGrid(66, "IQ2_XXS", 8, (block, run) => {
    const from = 2 + 8 * (run >> 2), rest = wide(block, from + 4);
    return { point: block[from + (run & 3)], scale: quarter(half(block, 0), rest >>> 28),
      signs: evenSigns(rest >>> (7 * (run & 3))) };
  }),
  IQ2_XS: onGrid(74, "IQ2_XS", 8, (block, run) => {
    const code = word(block, 2 + 2 * run);
    return { point: code & 511, scale: quarter(half(block, 0), nibble(block, 66, run >> 1)),
      signs: evenSigns(code >> 9) };
  }),
  IQ2_S: onGrid(82, "IQ2_S", 8, (block, run) => ({
    point: block[2 + run] | (((block[66 + (run >> 2)] >> (2 * (run & 3))) & 3) << 8),
    scale: quarter(half(block, 0), nibble(block, 74, run >> 1)),
    signs: block[34 + run],
  })),
  IQ3_XXS: onGrid(98, "IQ3_XXS", 4, (block, run) => {
    const rest = wide(block, 66 + 4 * (run >> 3));
    return { point: block[2 + run], scale: fround(fround(half(block, 0) * (0.5 + (rest >>> 28))) * 0.5),
      signs: evenSigns(rest >>> (7 * ((run >> 1) & 3))) };
  }),
  IQ3_S: onGrid(110, "IQ3_S", 4, (block, run) => ({
    point: block[2 + run] | (((block[66 + (run >> 3)] >> (run & 7)) & 1) << 8),
    scale: fround(half(block, 0) * (1 + 2 * nibble(block, 106, run >> 3))),
    signs: block[74 + (run >> 1)],
  })),
  IQ1_S: onGrid(50, "IQ1_S", 8, (block, run) => {
    const rest = word(block, 34 + 2 * (run >> 2));
    return { point: block[2 + run] | (((rest >> (3 * (run & 3))) & 7) << 8),
      scale: fround(half(block, 0) * (2 * ((rest >> 12) & 7) + 1)), shift: rest & 0x8000 ? -0.125 : 0.125 };
  }),
  IQ1_M: onGrid(56, "IQ1_S", 8, (block, run) => {
    const rest = (block[32 + (run >> 1)] >> (4 * (run & 1))) & 15;
    const scale = (word(block, 48 + 2 * (run >> 3)) >> (3 * ((run >> 1) & 3))) & 7;
    return { point: block[run] | ((rest & 7) << 8), scale: fround(spreadHalf(block) * (2 * scale + 1)),
      shift: rest & 8 ? -0.125 : 0.125 };
  }),
};
