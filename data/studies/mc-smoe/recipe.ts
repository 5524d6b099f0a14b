// What the study of "Merge, Then Compress" (arXiv:2310.01334) does, as data: models, tasks, budgets. See README.md.

import { nanoConfig } from "../../models/nano-config.js";

export const study = "mc-smoe";

/**
 * The dense model of equal active size: one expert in every layer, whose gate is 1. (No sparse layers at all cannot be
 * said: transformers then makes one.)
 */
export const denseConfig = { ...nanoConfig, num_experts: 1 };

/**
 * Where a model's experts come from. `scratch`: random, as in Switch. `upcycled`: every expert starts as the dense
 * model's
 * feed-forward block (arXiv:2212.05055), so that experts share an order of neurons and a common part.
 */
export const regimes = ["scratch", "upcycled"] as const;
export type Regime = (typeof regimes)[number];
export const pretrainingSeeds = [1, 2];

/** Examples of each task in a step; generation carries the claims, label tasks only make usage differ by task. */
export const mixture: Record<string, number> = { pron: 24, span: 14, spell: 8, lemma: 8, century: 4, kind: 4, name: 2 };

const optimiser = { clip: 1, balance: 0.01, decay: 0.01 };
export const pretraining = {
  /** 16 experts from random weights, and the dense model: the same data, the same steps */
  scratch: { ...optimiser, steps: 4000, lr: 2e-3, warmup: 200 },
  dense: { ...optimiser, balance: 0, steps: 4000, lr: 2e-3, warmup: 200 },
  /** on from the dense model */
  upcycled: { ...optimiser, steps: 2000, lr: 1e-3, warmup: 100 },
};

/** A teacher is the pre-trained model fine-tuned on one task, router frozen, no balance loss. */
export const finetuning = { steps: 300, batch: 48, lr: 5e-4, warmup: 30, clip: 1, decay: 0.01 };
export interface StudyTask {
  teachers: number[];
  /** arms by name; default all */
  arms?: string[];
  /** ratios of these arms; default their own */
  keep?: number[];
  /** ratios at which they are trained on, and with how many draws; default their own */
  recover?: Arm["recover"];
  /** usage alone is read off the teacher, without stable ranks and alignment */
  usageAlone?: true;
}

const mainArms = ["full", "m-smoe", "redirect", "pruning", "averaging"];
/**
 * One or two symbols to write, too few for what a change costs to show. Such tasks carry claim 5 alone, on usage in the
 * decoder:
 * the pieces hold the teacher's usage, and the main arms right after the change, which show why they carry no more.
 */
const label: StudyTask = { teachers: [1, 2, 3], arms: mainArms, keep: [4, 16], recover: { keep: [], draws: 0 },
  usageAlone: true };

/**
 * `pron` has every arm and carries the claims; `span` says whether what the main ones show holds on another generative
 * task.
 */
export const tasks: Record<string, StudyTask> = {
  pron: { teachers: [1, 2, 3, 4, 5] },
  span: { teachers: [1, 2, 3, 4, 5], arms: mainArms, keep: [4, 2, 16], recover: { keep: [4, 16], draws: 1 },
    usageAlone: true },
  century: label,
  kind: label,
  name: label,
};
export const calibrationItems = 256;
/** teacher-forced items, and items written freely for the symbol (phoneme) error rate */
export const testItems = { scored: 400, written: 200 };
/**
 * equal for all arms: the same batches, the same cached teacher logits, router frozen, distillation as the paper has it
 */
export const recovery = { steps: 150, batch: 32, lr: 2e-4, warmup: 16, clip: 1, decay: 0.01, alpha: 0.2,
  temperature: 2 };
/** rows go between `start` and `steps - settle` (the paper's Ti and Tf are 4 % and 16 % of T) */
export const compression = { ...recovery, steps: 500, lr: 5e-4, warmup: 20, rank: 4, keep: 0.1, start: 20, settle: 80 };

export interface Arm {
  name: string;
  /**
   * "paper": an arm of Table 2; "further": one that the paper did not have; the others name the table of the ablation
   */
  of: "paper" | "further" | "Table 3" | "Table 4" | "Table 5" | "Table 6" | "Table 8" | "code";
  /** what `profile` plans with; absent for models that are not made by a plan */
  change?: { method: string; [option: string]: unknown };
  /** experts per merged layer, on average */
  keep: number[];
  /** ratios at which the arm is trained on, and with how many draws of the data */
  recover?: { keep: number[]; draws: number };
  /** "teacher": nothing changed. "dense": the dense model, fine-tuned like a teacher */
  model?: "teacher" | "dense";
  /** stage two of the paper, low rank + sparse, from the teacher (C-SMoE) or from M-SMoE (MC-SMoE) */
  compress?: "full" | "m-smoe";
  /** recovery without distillation */
  alone?: boolean;
  /** experts are dropped while the model is trained on, instead of all at once */
  eager?: boolean;
}

const first = ["encoder.layers.1"]; // the first MoE layer of the encoder is never changed
const both = { keep: [4, 2, 8], recover: { keep: [4, 2], draws: 2 } };
const once = { keep: [4, 2], recover: { keep: [4], draws: 1 } };
const only = { keep: [4, 2] };

/** Table 2, the rivals that it did not have, and the ablations. */
export const arms: Arm[] = [{ name: "full", of: "paper", model: "teacher", keep: [16],
  recover: { keep: [16], draws: 2 } }, { name: "m-smoe", of: "paper", change: { method: "m-smoe" }, ...both }, {
  name: "redirect",
  of: "further",
  change: { method: "redirect" },
  ...both,
}, { name: "pruning", of: "paper", change: { method: "frequency" }, ...both }, { name: "averaging", of: "paper",
  change: { method: "averaging" }, ...both }, { name: "task-specific", of: "paper", change: { method: "task-specific" },
  ...once, eager: true }, { name: "zipit", of: "paper", change: { method: "zipit" }, ...once }, { name: "repair",
  of: "paper", change: { method: "repair" }, ...once }, { name: "git-rebasin", of: "paper",
  change: { method: "git-rebasin" }, ...once }, { name: "hc-smoe", of: "further",
  change: { method: "hc-smoe", exclude: first }, ...once }, { name: "reap", of: "further",
  change: { method: "reap", exclude: first }, ...once }, { name: "naee", of: "further",
  change: { method: "naee", exclude: first }, ...once }, { name: "uniform ratio", of: "Table 3",
  change: { method: "m-smoe", ratio: "uniform" }, ...once },
  ...["random", "router-weight", "weight", "weight-feature", "gradient", "feature", "feature.abs", "mean-output"].map(
    (similarity): Arm => (
      { name: `similarity ${similarity}`, of: "Table 4", change: { method: "m-smoe", similarity },
        ...(similarity === "random" ? once : only) }
    )
  ), { name: "no distillation", of: "Table 5", change: { method: "m-smoe" }, ...once, alone: true }, {
  name: "not aligned",
  of: "Table 6",
  change: { method: "m-smoe", align: "none" },
  ...once,
}, { name: "aligned to leader", of: "Table 6", change: { method: "m-smoe", alignTo: "leader" }, ...once }, {
  name: "uniform weights",
  of: "Table 8",
  change: { method: "m-smoe", weights: "uniform" },
  ...once,
}, { name: "fisher weights", of: "Table 8", change: { method: "m-smoe", weights: "fisher" }, ...once }, {
  name: "reversed weights",
  of: "code",
  change: { method: "m-smoe", weights: "reversed" },
  ...only,
}, { name: "mc-smoe", of: "paper", compress: "m-smoe", keep: [4], recover: { keep: [4], draws: 1 } }, { name: "c-smoe",
  of: "paper", compress: "full", keep: [4], recover: { keep: [4], draws: 1 } }, { name: "dense", of: "paper",
  model: "dense", keep: [1], recover: { keep: [1], draws: 2 } }];

/** The arms of a task's pieces. */
export function armsOf(task: string): Arm[] {
  const { arms: names, keep, recover } = tasks[task];
  return arms.filter(({ name }) => !names || names.includes(name)).map((arm) => ({ ...arm,
    ...(keep && { keep: arm.keep.filter((experts) => keep.includes(experts)) }), ...(recover && { recover }) })
  );
}
