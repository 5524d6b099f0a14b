import type { Axes, Take } from "../recipe.js";
import { type Infos, type Maker, type Parts, reshaped, sizeOf, type Tally } from "./maker.js";

/** Rows or columns in another order, or some of them. */
export const take: Maker<Take> = {
  infos({ of, axes, at }, infos) {
    const input = infos(of);
    if (!isList(at)) return input;
    return reshaped(input, (shape, part) => shape.map((length, axis) => (axis === axes[part] ? at.length : length)));
  },

  async values({ of, axes, at }, bench) {
    const parts = await bench.values(of);
    return taken(parts, bench.infos(of), axes, isList(at) ? at : await bench.order(at));
  },

  work(recipe, tally) {
    tallyTaken(recipe.axes, tally.values(recipe.of) > 0, tally.infos(recipe.of), tally.infos(recipe), tally);
  },
};

function isList(at: Take["at"]): at is readonly number[] {
  return Array.isArray(at);
}

/** Replaces each part by its rows or columns `at`; parts without an axis stay. Changes the map and returns it. */
export function taken(parts: Parts, infos: Infos, axes: Axes, at: readonly number[]): Parts {
  for (const [part, values] of parts) {
    const axis = axes[part];
    if (axis !== undefined) parts.set(part, rowsOrColumns(values, infos.get(part)!.shape, axis, at));
  }
  return parts;
}

/** The steps of `taken`. @param own whether the input is the maker's own, and goes part by part */
export function tallyTaken(axes: Axes, own: boolean, before: Infos, after: Infos, tally: Tally): void {
  for (const [part, { shape }] of before) {
    const moved = axes[part] !== undefined;
    if (moved || !own) tally.hold(sizeOf(after.get(part)!.shape));
    if (moved) tally.add({ numbers: sizeOf(after.get(part)!.shape) });
    if (moved && own) tally.free(sizeOf(shape));
  }
}

function rowsOrColumns(
  values: Float32Array,
  shape: readonly number[],
  axis: 0 | 1,
  at: readonly number[],
): Float32Array {
  const outer = axis === 0 ? 1 : shape[0], length = shape[axis], inner = sizeOf(shape.slice(axis + 1));
  const result = new Float32Array(outer * at.length * inner);
  for (let o = 0, to = 0; o < outer; o++) {
    const start = o * length * inner;
    if (inner === 1) { for (let k = 0; k < at.length; k++) result[to++] = values[start + at[k]]; }
    else
      for (let k = 0; k < at.length; k++, to += inner) {
        const from = start + at[k] * inner;
        result.set(values.subarray(from, from + inner), to);
      }
  }
  return result;
}
