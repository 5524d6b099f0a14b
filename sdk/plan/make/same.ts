import { wholeInfo, wholeValues } from "../../model/form/low-rank-sparse.js";
import type { Part, Same } from "../recipe.js";
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

  async values(recipe, bench, only) {
    const source = bench.source(recipe);
    const read = chosen(Object.entries(recipe.names), only).map(async ([part, name]) =>
      [part, await (source.has(name) ? source.values(name) : wholeValues(source, name))] as const
    );
    return new Map(await Promise.all(read));
  },

  work(recipe, tally, only) {
    const source = tally.source(recipe);
    for (const [part, { shape, sizeBytes }] of chosen([...tally.infos(recipe)], only)) {
      const numbers = sizeOf(shape);
      const peak = source.peakReadBytes?.(recipe.names[part]) ?? 0;
      if (peak > 0) tally.land(sizeBytes / 4, true);
      tally.pass(Math.max(numbers, peak / 4));
      tally.hold(numbers);
      tally.add({ numbers });
    }
  },
};

function chosen<T>(parts: [Part, T][], only?: Part): [Part, T][] {
  return only === undefined ? parts : parts.filter(([part]) => part === only);
}
