// The decoder-only, zero-shot side of "Merge, Then Compress" (arXiv:2310.01334, appendix A, Table A9), as data.
import type { Domain } from "../../../sdk/text/tasks/zero-shot/domain-texts.js";

export const study = "mc-smoe-decoder";
export const pretrainingSeeds = [1, 2];
/**
 * A draw is a sample of training windows to calibrate on, test questions and test windows, all disjoint from the other
 * draws'.
 */
export const draws = [1, 2, 3, 4, 5];
/** The draws that are run in each regime. */
const drawsOf: Record<string, number[]> = { task: draws, mixture: [1] };
export const questions = 60;

/** Tokens of a window of running text. */
export const window = 64;
/** To calibrate on, dealt out to the domains of a plan as in training. */
export const calibrationWindows = 64;
export const mixture: Record<Domain, number> = { speech: 7, novel: 4, dictionary: 7, code: 5, pronunciation: 9 };
/** To take perplexity and KL on, of each domain. */
export const testWindows = 8;
/** Trying all subsets of experts costs far more a token than everything else together. */
export const naeeWindows = 8;

export interface Group {
  domains: Domain[];
  tasks: string[];
}

/** All domains and their tasks. */
export const everything: Group = { domains: ["speech", "novel", "dictionary", "code", "pronunciation"],
  tasks: ["word", "word_order", "part_of_speech", "next_line", "pronunciation"] };

/**
 * What a plan is made from: `mixture`, general text, one plan for all tasks, as the released Mixtral script does it;
 * `task`,
 * text of the task's own domain, a plan for each, as Table A9 and the fairseq script have it.
 */
export const regimes: Record<string, Group[]> = {
  task: [{ domains: ["speech", "novel"], tasks: ["word", "word_order"] }, { domains: ["dictionary"],
    tasks: ["part_of_speech"] }, { domains: ["code"], tasks: ["next_line"] }, { domains: ["pronunciation"],
    tasks: ["pronunciation"] }],
  mixture: [everything],
};

/** A pre-trained model, and a draw of calibration windows, questions and test windows. */
export interface Piece {
  regime: string;
  seed: number;
  draw: number;
}

export function pieceName({ regime, seed, draw }: Piece): string {
  return `${regime}-${seed}.draw-${draw}`;
}

/** What is run in all, in this order. */
export function allPieces(): Piece[] {
  return Object.keys(regimes).flatMap((regime) =>
    drawsOf[regime].flatMap((draw) => pretrainingSeeds.map((seed) => ({ regime, seed, draw })))
  );
}

export interface Arm {
  name: string;
  /** experts per layer, on average; every MoE layer is changed */
  keep: number[];
  /** what the profile is planned with; absent for models that are not made by a plan */
  change?: { method: string; [option: string]: unknown };
  /** the dense model of equal active size */
  dense?: boolean;
  /** then every stored expert as U V + S, without any training */
  compressed?: boolean;
  /** calibrates on few windows */
  few?: boolean;
  /** only in these regimes */
  only?: string[];
  /** only in the first so many draws: costs more than all other arms together */
  draws?: number;
}

const both = [8, 4];

export const arms: Arm[] = [{ name: "full", keep: [16] }, { name: "m-smoe", keep: both, change: { method: "m-smoe" } },
  { name: "not aligned", keep: both, change: { method: "m-smoe", align: "none" } }, { name: "redirect", keep: both,
  change: { method: "redirect" } }, { name: "pruning", keep: both, change: { method: "frequency" } }, {
  name: "task-specific",
  keep: both,
  change: { method: "task-specific" },
}, { name: "averaging", keep: both, change: { method: "averaging" } }, { name: "hc-smoe", keep: both,
  change: { method: "hc-smoe" } }, { name: "reap", keep: both, change: { method: "reap" } }, { name: "mc-smoe",
  keep: both, change: { method: "m-smoe" }, compressed: true, draws: 2 }, { name: "c-smoe", keep: [16],
  compressed: true, draws: 2 }, { name: "aligned to leader", keep: [4],
  change: { method: "m-smoe", alignTo: "leader" } }, { name: "random similarity", keep: [4],
  change: { method: "m-smoe", similarity: "random" } }, { name: "naee", keep: [4], change: { method: "naee" },
  few: true, only: ["mixture"] }, { name: "dense", keep: [1], dense: true }];

/** The arms of a piece. */
export function armsOf(regime: string, draw: number): Arm[] {
  return arms.filter(({ only, draws = Infinity }) => (!only || only.includes(regime)) && draw <= draws);
}

/** The form of compressed experts: a rank of width/24, as 32 of 768, and a tenth of the remainder's rows. */
export const compression = { rank: 4, keep: 0.1 };
