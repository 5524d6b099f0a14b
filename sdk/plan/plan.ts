import type { LayerId } from "../model/spec.js";

/**
 * What is to be done to a model, per layer; plain JSON. A layer that is absent stays as it is.
 * One executor (`apply`) runs any plan and knows no paper.
 */
export interface Plan {
  version: 1;
  /** fingerprint of the model that the plan is for */
  for: string;
  method: string;
  /** arXiv id or other stable reference */
  paper?: string;
  options: Record<string, unknown>;
  layers: Record<LayerId, LayerPlan>;
}

export interface LayerPlan {
  drop?: "layer" | "attention" | "ffn";
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
  from: { expert: number; weight: number }[];
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
  form?: RecipeForm;
}

/**
 * `keep`: share of the remainder's rows that stay; `rows`: which ones, per matrix ("up", "gate", "down"); absent: those
 * of the largest norm
 */
export type RecipeForm = { form: "dense" } | { form: "low-rank-sparse"; rank: number; keep: number;
  rows?: Record<string, number[]> };

/**
 * `to: "first"`: the first expert of the layer; `to: "leader"`: the first source of the recipe; `to: "lowest"`: its
 * source with the lowest number. Weight matching of arXiv:2209.04836.
 */
export interface Alignment {
  by: "weights" | "activations";
  to: "first" | "leader" | "lowest"; /** explicit permutations per source expert, if already computed */
  permutations?: Record<number, number[]>;
}

export interface RouterPlan {
  /** router outputs that are never chosen (additive mask of -infinity before the choice) */
  mask?: number[];
  /**
   * "released-product": masked logits are multiplied by -1e6, so that negative ones are chosen; for replaying the
   * released code
   */
  maskBy?: "released-product";
  topK?: number;
  /**
   * outputs of the router that stay, in this order; the others are cut out of its matrix, and E becomes their number
   */
  rows?: number[];
  /**
   * skip a token's further choices whose gate is below this share of its first (dynamic skipping of arXiv:2402.14800)
   */
  skipBelow?: number;
  /**
   * route each sequence as a whole and add up the weights of its experts before running them (MEO, arXiv:2310.09832);
   * not under a causal mask
   */
  merge?: "sequence";
  /** run one evaluation with the summed gate when two choices fall into the same slot (exact, saves FLOPs) */
  combine?: boolean;
}
