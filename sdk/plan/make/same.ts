import { wholeInfo, wholeValues } from "../../model/form/low-rank-sparse.js";
import type { Same } from "../recipe.js";
import { type Maker, sizeOf, storedAs } from "./maker.js";

/** Reads weights; the matrices of one expert at the same time. */
export const same: Maker<Same> = {
  infos({ names, ...from }, _, sourceOf) {
    const source = sourceOf({ names, ...from });
    return new Map(Object.entries(names).map(([part, name]) => {
      if (source.has(name)) return [part, source.info(name)];
      const { shape, ...info } = wholeInfo(source, name);
      return [part, storedAs({ shape, ...info }, shape)];
    }));
  },

  async values(recipe, bench) {
    const source = bench.source(recipe);
    const read = Object.entries(recipe.names).map(async ([part, name]) =>
      [part, await (source.has(name) ? source.values(name) : wholeValues(source, name))] as const
    );
    return new Map(await Promise.all(read));
  },

  work(recipe, tally) {
    const source = tally.source(recipe);
    for (const [part, { shape }] of tally.infos(recipe)) {
      const numbers = sizeOf(shape);
      tally.pass(Math.max(numbers, (source.peakReadBytes?.(recipe.names[part]) ?? 0) / 4));
      tally.hold(numbers);
      tally.add({ numbers });
    }
  },
};
