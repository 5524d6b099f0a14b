import type { Recipe } from "../recipe.js";
import { combine } from "./combine.js";
import { fill } from "./fill.js";
import { fit } from "./fit.js";
import type { Maker } from "./maker.js";
import { matched } from "./matched.js";
import { same } from "./same.js";
import { sum } from "./sum.js";
import { take } from "./take.js";

const makers: { [R in Recipe as R["make"]]: Maker<R> } = { same, take, sum, matched, combine, fill, fit };

/** Who makes a recipe. */
export function makerOf(recipe: Recipe): Maker<Recipe> {
  return makers[recipe.make] as Maker<Recipe>;
}
