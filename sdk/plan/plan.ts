import type { MatrixForm } from "../model/form/matrix-form.js";
import type { Patch } from "../model/patch.js";
import type { RouterSpec } from "../model/router-spec.js";
import type { LayerId, LayerSpec } from "../model/spec.js";
import type { UnitName } from "../model/units.js";
import type { NumberFormat } from "../tensor/formats/number-format.js";
import type { WeightName } from "./recipe.js";
import type { SlotForm } from "./slot-form.js";

/**
 * What is to be done to a model, per layer; plain JSON. A layer that is absent stays as it is.
 * One executor (`apply`) runs any plan and knows no paper.
 */
export interface Plan {
  /** 1: what older plans say, a part of what 2 can */
  version: 1 | 2;
  /** fingerprint of the model that the plan is for */
  for: string;
  /** further models whose weights are read, by the name that recipes use: the fingerprint of each */
  sources?: Record<SourceName, string>;
  method: string;
  /** arXiv id or other stable reference */
  paper?: string;
  options: Record<string, unknown>;
  layers: Record<LayerId, LayerPlan>;
  /** which units stay, in this order (`units`); every matrix that they run through is cut */
  units?: Record<UnitName, UnitPlan>;
  /**
   * what weights of the planned model are made from: by name, or by a beginning of names that ends with "."
   * ("layers.3.experts."); the longest counts
   */
  weights?: Record<WeightName, WeightPlan>;
}

/** Name of a further model that a plan reads. */
export type SourceName = string;

/** Blocks of a layer. */
export type Block = "attention" | "cross" | "ffn";

export interface UnitPlan {
  keep: number[];
  /** what becomes of matrices that lose inputs; absent: their columns are taken away and the others stay as they are */
  fit?: Fit;
}

export interface WeightPlan {
  /** a weighted sum; weights are 1 unless something else is said. Absent: the weight as it would be */
  from?: Term[];
  /** what stands in the place of the matrices among these weights; what their fitter does not find starts anew */
  form?: MatrixForm;
  /** how the matrices among these weights are stored; what is no matrix stays */
  format?: NumberFormat;
  /** who finds other numbers or codes for these matrices; default with a format "nearest" */
  fit?: Fit;
}

/** Who finds factors, codes or zeros (`fit/`), with its options. */
export interface Fit {
  by: string;
  /** a set of tensors given to apply, by the names of the model's weights: what was measured for each of them */
  statistic?: string;
  options?: Record<string, unknown>;
}

/**
 * A weight of this model or another, by its name there (absent: the same); the same number everywhere; or normally
 * distributed ones of this deviation that follow from the weight's name.
 */
export type Term = { weight?: number; model?: SourceName; name?: WeightName } | { value: number } | { normal: number };

export interface LayerPlan {
  /** blocks that go; of version 1, "layer" is all of them */
  drop?: Block[] | "layer" | "attention" | "ffn";
  /** what else changes in the architecture of the layer: blocks that come, another kind of router */
  spec?: Patch<LayerSpec>;
  /** what each remaining slot is made of; absent: the slots stay */
  slots?: SlotRecipe[];
  /** [E] slot of router output e, or -1 for none; absent: unchanged */
  expertOf?: number[];
  router?: RouterPlan;
}

export interface SlotRecipe {
  /**
   * Weighted sum over experts; weights are used as they are, so they sum to 1 unless something else is meant.
   * `expert` is a router output of the model that the plan is for; its stored slot is what is read, so a
   * plan for a model that is merged already needs no other numbering.
   */
  from: SlotSource[];
  /**
   * Name of a set of tensors given to apply (`{ tensors: { fisher: source } }`), like the weights in names and
   * shapes. Every number of a source then counts in proportion to weight times that tensor, and is divided by their
   * sum.
   */
  elementwise?: string;
  /** permute the hidden neurons of every source before summing */
  align?: Alignment;
  /**
   * Merges hidden neurons within and across the sources, in place of align and weights: for each source expert the
   * place of every one of its neurons. A place's incoming weights are the mean over its neurons, its outgoing ones
   * their sum divided by the number of sources (ZipIt, arXiv:2305.03053). "weights": apply finds the places by the
   * products of weights (`zipByWeights`); merged neurons that all weigh nothing become zero, as in the released code.
   */
  zip?: Record<number, number[]> | "weights";
  /**
   * "mean": incoming and outgoing weights of a place are the mean over its neurons, each as heavy as its source; always
   * so with "weights"
   */
  zipBy?: "mean";
  /** how the result is stored; absent: as the first source */
  form?: SlotForm;
}

/**
 * An expert of this model, or of another one's layer of the same name; or the layer's dense block, the whole or some of
 * its neurons: "ffn" where it has no experts, "shared" beside them.
 */
export type SlotSource =
  & { weight: number; model?: SourceName }
  & (
    | { expert: number; block?: undefined; neurons?: undefined }
    | { expert?: undefined; block: "ffn" | "shared"; neurons?: [start: number, end: number] }
  );

/**
 * `to: "first"`: the first expert of the layer; `to: "leader"`: the first source of the recipe; `to: "lowest"`: its
 * source with the lowest number. Weight matching of arXiv:2209.04836.
 */
export interface Alignment {
  by: "weights" | "activations";
  to: "first" | "leader" | "lowest"; /** explicit permutations per source expert, if already computed */
  permutations?: Record<number, number[]>;
}

/** The settings beside `spec` are those of version 1. */
export interface RouterPlan extends Partial<Pick<RouterSpec, "maskBy" | "topK" | "skipBelow" | "merge" | "combine">> {
  /** router outputs that are never chosen (additive mask of -infinity before the choice) */
  mask?: number[];
  /**
   * outputs of the router that stay, in this order; the others are cut out of its matrix, and E becomes their number.
   * One may stand there twice
   */
  rows?: number[];
  /** `router.mix` [E', E]: the router's outputs are mixed into E' new ones, which `expertOf` is then about */
  mix?: number[][];
  /** what else changes */
  spec?: Patch<RouterSpec>;
}
