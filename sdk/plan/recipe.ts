import type { Shape } from "../model/form/form.js";
import type { MatrixForm } from "../model/form/matrix-form.js";
import type { Want } from "./fit/fitter.js";

/** Name of a weight, e.g. "layers.3.experts.5.up". */
export type WeightName = string;

/** Name of one of the tensors that a recipe makes together: "up", "down.bias", "up.s.rows". */
export type Part = string;

/**
 * What a plan says, in seven words: `lower` turns slots, forms and routers into these, and the makers (make/) know
 * nothing else. A recipe makes one tensor, or those of an expert together, so that each source is read once and one
 * after the other. Two mentions of the same object are made once where their readers follow one another.
 */
export type Recipe = Same | Take | Sum | Matched | Combine | Fill | Fit;

/** As they are; a matrix that the source has in a form is made whole. */
export interface Same {
  make: "same";
  names: Readonly<Record<Part, WeightName>>;
  forms?: Readonly<Record<Part, { form: MatrixForm; shape: Shape }>>;
  /** further tensors given to apply, or a further model, in place of the model */
  tensors?: string;
  model?: string;
}

/** These rows (axis 0) or columns (axis 1), in this order; parts that no axis is named for stay as they are. */
export interface Take {
  make: "take";
  of: Recipe;
  axes: Axes;
  /** or the order that was found for another expert's parts */
  at: readonly number[] | Matched;
}

/**
 * sum_i w_i W_i; with `by` numbers F_i of the same shapes count beside the weights:
 * sum_i w_i F_i W_i / (sum_i w_i F_i + 1e-7)
 */
export interface Sum {
  make: "sum";
  terms: readonly { of: Recipe; weight: number; by?: Recipe }[];
}

/** With the neurons in the order that fits another expert best. The matrices among the parts of `axes` are matched. */
export interface Matched {
  make: "matched";
  of: Recipe;
  to: Recipe;
  axes: Axes;
}

/** By a combiner, one file each in combine/. */
export interface Combine {
  make: "combine";
  by: "zip";
  of: readonly Recipe[];
  axes: Axes;
  /** of each source */
  weights: readonly number[];
  /** the place of every neuron, for each source; or found by the products of weights, which take the sources in turn */
  places: readonly (readonly number[])[] | { byWeights: readonly number[] };
  /** incoming and outgoing weights of a place are means over its neurons */
  byMean: boolean;
}

/** These numbers, one everywhere, or normally distributed ones of this deviation that follow from the name. */
export interface Fill {
  make: "fill";
  name: WeightName;
  shape: readonly number[];
  values?: readonly number[];
  value?: number;
  normal?: number;
}

/**
 * One matrix in another form or with other numbers, by a fitter (fit/). The parts of a form have the matrix's name
 * before them.
 */
export interface Fit {
  make: "fit";
  of: Recipe;
  part: Part;
  by: string;
  want: Want;
  /** numbers given to apply that it reads, as they are named for this weight */
  statistic?: Same;
}

export type Axes = Readonly<Record<Part, 0 | 1>>;

/** What a weight of the planned model is. */
export interface Made {
  of: Recipe;
  part: Part;
}

/** What a recipe is made from; a fit reads one part alone. */
export function inputs(recipe: Recipe): { of: Recipe; part?: Part }[] {
  switch (recipe.make) {
    case "same":
    case "fill":
      return [];
    case "take":
      return [{ of: recipe.of }];
    case "sum":
      return recipe.terms.flatMap(({ of, by }) => [{ of }, ...(by ? [{ of: by }] : [])]);
    case "matched":
      return [{ of: recipe.of }, { of: recipe.to }];
    case "combine":
      return recipe.of.map((of) => ({ of }));
    case "fit":
      return [{ of: recipe.of, part: recipe.part }];
  }
}
