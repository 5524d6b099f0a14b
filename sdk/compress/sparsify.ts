import { MoeError } from "../errors.js";
import { method } from "../method/method.js";
import type { WeightPlan } from "../plan/plan.js";
import { ofWeights } from "../profile/weight-choice.js";
import { fitWeights, weights } from "./fit-weights.js";

const sparsity = { about: "share of the weights that become 0", from: 0, to: 1, default: 0.5 } as const;
const pattern = {
  about: "[n, m] in place of a share: of every m inputs of a row n become 0, as in 2:4",
  is: (value: unknown): value is [number, number] =>
    Array.isArray(value) && value.length === 2 && value.every((n) => Number.isInteger(n) && n >= 1)
    && value[0] < value[1],
  says: "two whole numbers [n, m] with 1 <= n < m",
  otherwise: "a share of them, wherever they are",
} as const;
const store = {
  about: `how what is left is stored: "plain", zeros too; "sparse", with a pattern, a mask and numbers in bfloat16`,
  words: ["plain", "sparse"],
  default: "plain",
} as const;

interface Sparse {
  sparsity: number;
  pattern?: [number, number];
  store: "plain" | "sparse";
}

/** What is asked of a fitter, and how its zeros are stored. */
function sparse(
  by: string,
  { sparsity, pattern, store }: Sparse,
  { statistic, ...options }: Record<string, unknown> & { statistic?: string } = {},
): WeightPlan {
  if (store === "sparse" && !pattern)
    throw new MoeError("unknown-option-value",
      `compress: store is "sparse" without a pattern; accepted by ${by} is a pattern beside it, as [2, 4]. Give one, `
        + "or leave store out.");
  return {
    fit: { by, ...(statistic && { statistic }),
      options: { ...(pattern ? { of: pattern } : { sparsity }), ...options } },
    ...(store === "sparse" && pattern
      && { format: { kind: "sparse", values: "BF16", of: [pattern[1] - pattern[0], pattern[1]] } }),
  };
}

/** The weights of the smallest magnitude become 0: the baseline of pruning. */
export const magnitude = method({
  name: "magnitude",
  kind: "compress",
  about: "sets the weights of the smallest magnitude to 0",
  options: { sparsity, pattern, weights, store,
    within: { about: "of what the share goes: of each matrix, or of each row", words: ["matrix", "row"],
      default: "matrix" } },
  needs: ({ weights }) => [ofWeights("inputNorms", weights)],
  plan(profile, { weights, within, ...options }) {
    const plan = sparse("magnitude", options, { within });
    return fitWeights(profile, weights, "inputNorms", { seen: plan, unseen: plan });
  },
});

/**
 * Wanda, arXiv:2306.11695: of each row the weights of the smallest magnitude times norm of their input become 0.
 *
 * @example await moe.load("nano-switch").profile().compress({ method: "wanda", pattern: [2, 4] })
 */
export const wanda = method({
  name: "wanda",
  paper: "arXiv:2306.11695",
  kind: "compress",
  about: "sets to 0 the weights that are small where their input is small",
  options: { sparsity, pattern, weights, store,
    variant: { about: "rows may lose unequal shares: each the same part of the sum of its scores", default: false } },
  needs: ({ weights }) => [ofWeights("inputNorms", weights)],
  plan: (profile, { weights, variant, ...options }) =>
    fitWeights(profile, weights, "inputNorms", {
      seen: sparse("wanda", options, { statistic: ofWeights("inputNorms", weights), ...(variant && { variant }) }),
      unseen: sparse("magnitude", options, { within: "row" }),
    }),
});

/**
 * SparseGPT, arXiv:2301.00774: zeros column by column, and later columns make up for what went.
 *
 * @example await moe.load("nano-switch").profile().compress({ method: "sparsegpt", sparsity: 0.5 })
 */
export const sparsegpt = method({
  name: "sparsegpt",
  paper: "arXiv:2301.00774",
  kind: "compress",
  about: "sets weights to 0 column by column and lets later columns make up for them",
  options: {
    sparsity,
    pattern,
    weights,
    store,
    block: { about: "columns whose smallest weights go together", from: 1, whole: true, default: 128 },
    damping: { about: "added to the diagonal of the inputs' Gram matrix, as a share of its mean", from: 0,
      default: 0.01 },
    exact: { about: "false: each block loses one weight more than its share, as released", default: false },
  },
  needs: ({ weights }) => [ofWeights("gram.inputs", weights)],
  plan: (profile, { weights, block, damping, exact, ...options }) =>
    fitWeights(profile, weights, "gram.inputs", {
      seen: sparse("sparsegpt", options, { statistic: ofWeights("gram.inputs", weights), block, damping,
        ...(exact && { exact }) }),
      unseen: sparse("magnitude", options),
    }),
});
