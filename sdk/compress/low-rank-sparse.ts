import { changeLayers, mergedLayers } from "../method/layers-to-change.js";
import { type Changes, method } from "../method/method.js";
import { excludeFirst } from "../method/usual-options.js";
import type { LayerId } from "../model/spec.js";
import type { LayerProfile, Profile } from "../profile/profile.js";
import type { RowImportance, RowScores } from "../profile/row-importance.js";
import { statistic } from "../profile/statistic.js";
import { entryQuantile } from "./entry-quantile.js";

/** Rows that stay, by slot and matrix. */
export type Rows = Record<LayerId, Record<string, number[]>[]>;

const rank = { about: "rank of the product U V", from: 1, whole: true } as const;

/**
 * Rewrites every stored expert as a product of low rank and a row-sparse remainder, W = U V + S: the second half of
 * MC-SMoE, arXiv:2310.01334, section 3.3. With keep 1 the model computes what it did.
 *
 * @example await planWith(lowRankSparse, profile, { rank: 32, keep: 0.1 })
 */
export const lowRankSparse = method({
  name: "low-rank-sparse",
  paper: "arXiv:2310.01334",
  kind: "compress",
  about: "each expert matrix as a low-rank product plus a row-sparse remainder",
  options: {
    rank,
    keep: {
      about: "share of the remainder's rows that stay; 1 while a row pruner trains the model and drops rows",
      from: 0,
      to: 1,
      says: "a share of the remainder's rows from 0 to 1",
      default: 0.1,
    },
    by: {
      about: `which rows stay, if training does not decide it: "norm", in every matrix those of the largest norm;
        "importance", over the whole network those of the largest mean |s dL/ds|, the paper's zero-shot form`,
      words: ["norm", "importance"],
      default: "norm",
    },
    rows: {
      about: "which rows stay, by layer, slot and matrix, as a row pruner found them",
      is: (value: unknown): value is Rows =>
        typeof value === "object" && value !== null && Object.values(value).every(Array.isArray),
      says: "for each layer a list of { up, gate, down } of row numbers",
      otherwise: "as by says",
    },
    exclude: excludeFirst,
  },
  needs: ({ by, rank }) => (by === "importance" ? [`rowImportance.${rank}`] : []),
  plan: (profile, { rank, keep, by, rows, exclude }) =>
    inForm(profile, { rank, keep }, exclude,
      rows ?? (by === "importance" ? mostImportant(profile, rank, keep, exclude) : undefined)),
});

/** Rewrites every stored expert as its best approximation of a rank; the remainder is dropped. */
export const svdCompression = method({
  name: "svd",
  kind: "compress",
  about: "each expert matrix as its best low-rank approximation",
  options: { rank, exclude: excludeFirst },
  plan: (profile, { rank, exclude }) => inForm(profile, { rank, keep: 0 }, exclude),
});

/** the rows that are not below one threshold over the whole network */
function mostImportant(profile: Profile, rank: number, keep: number, exclude?: LayerId[]): Rows {
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

function inForm(
  profile: Profile,
  size: { rank: number; keep: number },
  exclude: LayerId[] | undefined,
  rows?: Rows,
): Changes {
  return changeLayers(profile, exclude, (layer, id) => ({
    slots: storedExperts(layer).map((expert, slot) => {
      const kept = rows?.[id]?.[slot];
      return { from: [{ expert, weight: 1 }], form: { form: "low-rank-sparse", ...size, ...(kept && { rows: kept }) } };
    }),
  }));
}

/** One router output for each stored slot, in the order of the slots: experts that share a slot are compressed once. */
function storedExperts({ experts, expertOf }: LayerProfile): number[] {
  const map = expertOf ?? Array.from({ length: experts }, (_, e) => e);
  const slots = Math.max(...map) + 1;
  return Array.from({ length: slots }, (_, slot) => map.indexOf(slot));
}
