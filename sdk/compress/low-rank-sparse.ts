import { MoeError } from "../errors.js";
import { mergedLayers } from "../method/layers-to-change.js";
import type { Method } from "../method/method.js";
import { option } from "../method/option.js";
import type { LayerId } from "../model/spec.js";
import type { LayerPlan, Plan, RecipeForm } from "../plan/plan.js";
import type { LayerProfile, Profile } from "../profile/profile.js";
import type { RowImportance, RowScores } from "../profile/row-importance.js";
import { statistic } from "../profile/statistic.js";
import { entryQuantile } from "./entry-quantile.js";

export interface LowRankSparseOptions {
  /** rank of the product U V */
  rank: number;
  /**
   * share of the remainder's rows that stay, in [0, 1]; default 0.1. While a row pruner trains the model, give 1 and
   * let it drop rows
   */
  keep?: number;
  /**
   * which rows of the remainders stay, if training does not decide it: "norm" (default), in every matrix those of the
   * largest norm; "importance", over the whole network those of the largest mean `|s dL/ds|`, the paper's zero-shot
   * form
   */
  by?: "norm" | "importance";
  /** which rows stay, by slot and matrix, as a row pruner found them; default: as `by` says */
  rows?: Record<LayerId, Record<string, number[]>[]>;
  /** layers that stay as they are; default: the first MoE layer of the encoder, if there is one */
  exclude?: string[];
}

/**
 * Rewrites every stored expert as a product of low rank and a row-sparse remainder, W = U V + S: the second half of
 * MC-SMoE, arXiv:2310.01334, section 3.3. With keep 1 the model computes what it did.
 *
 * @example lowRankSparse.plan(profile, { rank: 32, keep: 0.1 })
 */
export const lowRankSparse: Method<LowRankSparseOptions> = {
  name: "low-rank-sparse",
  paper: "arXiv:2310.01334",
  kind: "compress",
  about: "each expert matrix as a low-rank product plus a row-sparse remainder",
  needs: ["usage"],
  needsFor: ({ by, rank }) => (by === "importance" ? [`rowImportance.${rank}`] : []),
  options: ["rank", "keep", "by", "rows", "exclude"],
  plan(profile, options) {
    const { keep = 0.1 } = options;
    const by = option("compress", "by", options.by, ["norm", "importance"], "norm");
    return planForm("low-rank-sparse", "arXiv:2310.01334", profile, options, keep,
      options.rows ?? (by === "importance" ? mostImportant(profile, options, keep) : undefined));
  },
};

export interface SvdOptions {
  /** rank of the product U V */
  rank: number;
  /** layers that stay as they are; default: the first MoE layer of the encoder, if there is one */
  exclude?: string[];
}

/** Rewrites every stored expert as its best approximation of a rank; the remainder is dropped. */
export const svdCompression: Method<SvdOptions> = {
  name: "svd",
  paper: "",
  kind: "compress",
  about: "each expert matrix as its best low-rank approximation",
  needs: ["usage"],
  options: ["rank", "exclude"],
  plan: (profile, options) => planForm("svd", undefined, profile, options, 0),
};

/** the rows that are not below one threshold over the whole network */
function mostImportant(
  profile: Profile,
  { rank, exclude }: LowRankSparseOptions,
  keep: number,
): LowRankSparseOptions["rows"] {
  const layers = mergedLayers(profile, exclude).map((layer) =>
    [layer, statistic<RowImportance>(profile, layer, `rowImportance.${rank}`, `rowImportance.${rank}`)] as const
  );
  const threshold = entryQuantile(layers.flatMap(([, slots]) => slots.flatMap((matrices) => Object.values(matrices))),
    1 - keep);
  const above = ({ scores }: RowScores) => scores.flatMap((score, row) => (score < threshold ? [] : [row]));
  return Object.fromEntries(
    layers.map(([layer, slots]) => [layer, slots.map((matrices) =>
      Object.fromEntries(Object.entries(matrices).map(([matrix, rows]) => [matrix, above(rows)]))
    )]),
  );
}

function planForm(
  method: string,
  paper: string | undefined,
  profile: Profile,
  options: SvdOptions,
  keep: number,
  rows?: LowRankSparseOptions["rows"],
): Plan {
  if (!Number.isInteger(options.rank) || options.rank < 1) {
    throw new MoeError("rank-out-of-range",
      `compress: rank is ${options.rank}; accepted is a whole number from 1. Change rank.`);
  }
  if (!(keep >= 0 && keep <= 1))
    throw new MoeError("keep-out-of-range",
      `compress: keep is ${keep}; accepted is a share of the remainder's rows from 0 to 1. Change keep.`);
  const plan: Plan = { version: 1, for: profile.model.fingerprint, method, ...(paper && { paper }),
    options: { ...options }, layers: {} };
  for (const layer of mergedLayers(profile, options.exclude)) {
    plan.layers[layer] = {
      slots: storedExperts(profile.layers[layer]).map((expert, slot) => ({ from: [{ expert, weight: 1 }],
        form: form(layer, slot) })
      ),
    } satisfies LayerPlan;
  }
  return plan;

  function form(layer: LayerId, slot: number): RecipeForm {
    const kept = rows?.[layer]?.[slot];
    return { form: "low-rank-sparse", rank: options.rank, keep, ...(kept && { rows: kept }) };
  }
}

/** One router output for each stored slot, in the order of the slots: experts that share a slot are compressed once. */
function storedExperts({ experts, expertOf }: LayerProfile): number[] {
  const map = expertOf ?? Array.from({ length: experts }, (_, e) => e);
  const slots = Math.max(...map) + 1;
  return Array.from({ length: slots }, (_, slot) => map.indexOf(slot));
}
