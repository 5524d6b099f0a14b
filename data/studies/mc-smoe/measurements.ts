import { stableRankChange, stableRanks } from "../../../sdk/compress/stable-ranks.js";
import { alignmentGain } from "../../../sdk/merge/alignment-gain.js";
import { usage } from "../../../sdk/profile/profile.js";
import { changeStage } from "../../../sdk/stages/change.js";
import type { StudyState } from "../../../sdk/stages/study-state.js";

/**
 * Changes whose stable ranks are compared: the paper's, without its parts, and random groups with a plain mean (the
 * control).
 */
const merges: Record<string, { method: string; [option: string]: unknown }> = {
  "m-smoe": { method: "m-smoe" },
  "not aligned": { method: "m-smoe", align: "none" },
  "uniform weights": { method: "m-smoe", weights: "uniform" },
  averaging: { method: "averaging" },
  "git-rebasin": { method: "git-rebasin" },
};

/**
 * What is read off a teacher and its merges without training or scoring: figures 3 and 4 of the paper and the alignment
 * control.
 */
export async function measurements(profiled: StudyState, seed: number) {
  const { spec, weights } = profiled.original;
  const before = await stableRanks(spec, weights);
  const stableRankChanges: Record<string, Record<string, number>> = {};
  for (const keep of [4, 2]) {
    for (const [name, { method, ...options }] of Object.entries(merges)) {
      const { model, plan } = await changeStage(profiled, { method, ...options, keep, seed }, undefined);
      const leaders = Object.fromEntries(
        Object.entries(plan!.layers).map(([layer, { slots }]) => [layer, slots!.map(({ from }) => from[0].expert!)]),
      );
      stableRankChanges[`${name} ${keep}`] = stableRankChange(before, await stableRanks(model.spec, model.weights),
        leaders);
      await model.dispose();
    }
  }
  return {
    ...usageOf(profiled),
    alignment_gain: await alignmentGain(spec, weights, { experts: 5, seed }),
    stable_rank_change: stableRankChanges,
  };
}

/** Each expert's share of the tokens, by layer. */
export function usageOf({ profile }: StudyState) {
  return { usage: Object.fromEntries(Object.entries(profile!.layers).map(([layer, one]) => [layer, usage(one)])) };
}
