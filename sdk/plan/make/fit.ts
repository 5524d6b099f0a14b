import { svd } from "../fit/svd.js";
import type { Fit } from "../recipe.js";
import type { Maker } from "./maker.js";

/** Who finds factors, codes or zeros, by name; one file each in fit/. */
const fitters: Record<Fit["by"], Maker<Fit>> = { svd };

/** A matrix in another form. */
export const fit: Maker<Fit> = {
  infos: (recipe, infos, source) => fitters[recipe.by].infos(recipe, infos, source),
  values: (recipe, bench) => fitters[recipe.by].values(recipe, bench),
  work: (recipe, tally) => fitters[recipe.by].work(recipe, tally),
};
