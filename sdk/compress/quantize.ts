import { method } from "../method/method.js";
import type { WeightPlan } from "../plan/plan.js";
import { ofWeights } from "../profile/weight-choice.js";
import type { GroupedFormat } from "../tensor/formats/number-format.js";
import { fitWeights, weights } from "./fit-weights.js";

const bits = { about: "of a weight", from: 1, to: 8, whole: true, default: 4 } as const;
const group = {
  about: "inputs of a row that share a scale; 0: the whole row",
  from: 0,
  whole: true,
  default: 128,
} as const;
const symmetric = { about: "no zero point: codes are signed", default: false } as const;
const scales = { about: "how scales and zero points are stored", words: ["F16", "BF16", "F32"],
  default: "F16" } as const;

interface Format {
  bits: number;
  group: number;
  symmetric: boolean;
  scales: "F16" | "BF16" | "F32";
}

/** One bit is a sign, ± mean |w|, and has no zero point. */
function formatOf({ bits, group, symmetric, scales }: Format): GroupedFormat {
  return { kind: "grouped", bits: bits as GroupedFormat["bits"], group, scales,
    zero: symmetric || bits === 1 ? "none" : "integer" };
}

/** Every weight becomes the nearest that its group's codes can say: the baseline of quantisation. */
export const nearest = method({
  name: "nearest",
  kind: "compress",
  about: "rounds weights to the nearest of a few numbers, group by group",
  options: { bits, group, symmetric, scales, weights },
  needs: ({ weights }) => [ofWeights("inputNorms", weights)],
  plan(profile, { weights, ...format }) {
    const plan: WeightPlan = { format: formatOf(format) };
    return fitWeights(profile, weights, "inputNorms", { seen: plan, unseen: plan });
  },
});

/**
 * GPTQ, arXiv:2210.17323: rounds column by column, and later columns make up for the error in the outputs. Inputs are
 * those of the model as it is; with those of layers that are rounded already, as published, it is a chain of `compress`
 * that names one layer after the other, since each measures the model that the one before made.
 *
 * @example await moe.load("nano-switch").profile().compress({ method: "gptq", bits: 4, group: 16 })
 * @example
 * moe.load("nano-decoder").profile().compress({ method: "gptq", weights: ["layers.0."], group: 32 })
 *   .compress({ method: "gptq", weights: ["layers.1."], group: 32 });
 */
export const gptq = method({
  name: "gptq",
  paper: "arXiv:2210.17323",
  kind: "compress",
  about: "rounds weights column by column and lets later columns make up for the error",
  options: {
    bits,
    group,
    symmetric,
    scales,
    weights,
    actOrder: { about: "columns of the largest inputs first", default: false },
    staticGroups: { about: "scales come from the weights as they are given, before errors are carried on",
      default: false },
    search: {
      about:
        `ranges of groups: "none", from the smallest to the largest; "shrink", the best of 80 smaller ones; "around",
        the best within 10 percent`,
      words: ["none", "shrink", "around"],
      default: "none",
    },
    damping: { about: "added to the diagonal of the inputs' Gram matrix, as a share of its mean", from: 0,
      default: 0.01 },
    block: { about: "columns whose errors are carried on together", from: 1, whole: true, default: 128 },
  },
  needs: ({ weights }) => [ofWeights("gram.inputs", weights)],
  plan(profile, { weights, bits, group, symmetric, scales, ...options }) {
    const format = formatOf({ bits, group, symmetric, scales });
    const order = options.actOrder && !options.staticGroups && group > 0;
    return fitWeights(profile, weights, "gram.inputs", {
      seen: { format: { ...format, ...(order && { order }) },
        fit: { by: "gptq", statistic: ofWeights("gram.inputs", weights), options } },
      unseen: { format },
    });
  },
});

/**
 * AWQ, arXiv:2306.00978: inputs that are large get finer steps by a scale each, then ranges are cut. Scales stand
 * beside the codes, so that no other weight changes.
 *
 * @example await moe.load("nano-switch").profile().compress({ method: "awq", bits: 4, group: 16 })
 */
export const awq = method({
  name: "awq",
  paper: "arXiv:2306.00978",
  kind: "compress",
  about: "rounds weights after scaling inputs by how large they are, and cuts ranges",
  options: {
    bits: { ...bits, from: 2 },
    group,
    symmetric,
    scales,
    weights,
    clip: { about: "ranges are cut where that brings outputs nearer", default: true },
    duo: { about: "scales also follow how large the weights of an input are", default: false },
    steps: { about: "powers that are tried", from: 1, whole: true, default: 20 },
    rows: { about: "inputs of a matrix that its outputs are judged by, at most", from: 1, whole: true, default: 512 },
  },
  needs: ({ weights, rows }) => [ofWeights(`inputs.${rows}`, weights)],
  plan(profile, { weights, bits, group, symmetric, scales, ...options }) {
    const format = formatOf({ bits, group, symmetric, scales });
    const statistic = `inputs.${options.rows}`;
    return fitWeights(profile, weights, statistic, {
      seen: { format: { ...format, inputs: true },
        fit: { by: "awq", statistic: ofWeights(statistic, weights), options } },
      unseen: { format },
    });
  },
});
