import { zip } from "../combine/zip.js";
import type { Combine } from "../recipe.js";
import { type Maker, reshaped } from "./maker.js";

/** How sources become one, by name; one file each in combine/. */
const combiners: Record<Combine["by"], Pick<Maker<Combine>, "values" | "work">> = { zip };

/** Sources that become one other than by a sum. */
export const combine: Maker<Combine> = {
  infos: ({ of }, infos) => reshaped(infos(of[0]), (shape) => shape),
  values: (recipe, bench) => combiners[recipe.by].values(recipe, bench),
  work: (recipe, tally) => combiners[recipe.by].work(recipe, tally),
};
