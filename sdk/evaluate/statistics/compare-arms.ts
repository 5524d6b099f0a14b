import { MoeError, suggest } from "../../errors.js";
import { mean, meanStderr } from "../../statistics/mean.js";
import { holm } from "./holm.js";
import { type PairedInterval, pairedT } from "./paired-t.js";
import { pairsNeeded } from "./pairs-needed.js";
import { type Side, type Verdict, verdict } from "./verdict.js";

/** One number of one run. `seed` names the unit that arms share (a teacher, a pre-training seed). */
export interface ArmResult {
  arm: string;
  seed: number | string;
  metric: string;
  value: number;
}

/** "arm is higher (or lower) than `against` in metric" */
export interface Claim {
  arm: string;
  metric: string;
  side: Side;
  /** default: the baseline */
  against?: string;
  /**
   * "difference": arm minus against. "log2-ratio": log2(arm / against), for positive metrics such as KL. Default
   * "difference"
   */
  scale?: "difference" | "log2-ratio";
  /** how far the arm may be on the other side and the claim still stands, in the scale; default 0 */
  margin?: number;
  /** the claim in words, with its source */
  text?: string;
}

export interface CompareArmsOptions {
  /** arm that the others are compared with */
  baseline: string;
  claims?: Claim[];
  /** of the intervals; default 0.95 */
  level?: number;
  /** difference for the power note of each claim, in the claim's scale; default the one observed */
  resolve?: number;
}

export interface ArmSummary {
  arm: string;
  metric: string;
  mean: number;
  stderr: number;
  n: number; /** paired, arm minus baseline; absent for the baseline */
  difference?: PairedInterval;
}

export interface JudgedClaim extends Required<Omit<Claim, "text">>, PairedInterval {
  text?: string;
  /** adjusted over all claims of this comparison */
  pHolm: number;
  /** by the interval, after Holm: a claim whose adjusted p does not stand is not resolved */
  verdict: Verdict;
  /** by the interval of this claim alone */
  verdictAlone: Verdict;
  /** pairs for 80 % power at `resolve`; absent when the differences have no spread */
  pairsFor80?: number;
}

export interface ArmComparison {
  baseline: string;
  level: number;
  arms: ArmSummary[];
  claims: JudgedClaim[];
}

/**
 * Compares arms over seeds, paired: an arm and its rival are compared on the seeds that both have.
 * Several values of one arm, seed and metric (recovery draws of one teacher) are averaged first, since they are not
 * independent units. Claims are judged by the paired t interval and Holm's correction over all claims given.
 *
 * @throws MoeError `unknown-arm`, `unknown-metric`, `bad-value` (not finite, or not positive under "log2-ratio"),
 *   `no-pairs`
 */
export function compareArms(
  results: readonly ArmResult[],
  { baseline, claims = [], level = 0.95, resolve }: CompareArmsOptions,
): ArmComparison {
  const table = bySeed(results);
  if (!table.has(baseline))
    throw new MoeError("unknown-arm",
      `compare: baseline "${baseline}" has no results. ${suggest(baseline, [...table.keys()])}`);

  const arms: ArmSummary[] = [];
  for (const [arm, metrics] of table) {
    for (const [metric, seeds] of metrics) {
      const values = [...seeds.values()];
      const summary: ArmSummary = { arm, metric, mean: mean(values), stderr: meanStderr(values), n: values.length };
      const rival = table.get(baseline)!.get(metric);
      const shared = rival && arm !== baseline ? paired(seeds, rival, "difference") : [];
      if (shared.length > 0) summary.difference = pairedT(shared, level);
      arms.push(summary);
    }
  }

  const intervals = claims.map((claim) => {
    const { arm, metric, side, against = baseline, scale = "difference", margin = 0, text } = claim;
    const differences = paired(valuesOf(table, arm, metric), valuesOf(table, against, metric), scale);
    if (differences.length === 0)
      throw new MoeError("no-pairs",
        `compare: "${arm}" and "${against}" share no seed for ${metric}; accepted is at least one, two to `
          + "judge. Run both with the same seeds.");
    for (const difference of differences) {
      if (!Number.isFinite(difference))
        throw new MoeError("bad-value",
          `compare: ${metric} of "${arm}" or "${against}" is not positive; accepted are positive values under `
            + `scale "log2-ratio". Use scale "difference".`);
    }
    const interval = pairedT(differences, level);
    // with a margin the question is whether the difference is on the right side of it
    const shift = side === "higher" ? margin : -margin;
    return { arm, metric, side, against, scale, margin, ...(text === undefined ? {} : { text }), ...interval,
      p: margin > 0 ? pairedT(differences.map((one) => one + shift), level).p : interval.p, shift };
  });
  const adjusted = holm(intervals.map(({ p }) => p));
  const judged = intervals.map(({ shift, ...claim }, index): JudgedClaim => {
    const alone = verdict({ low: claim.low + shift, high: claim.high + shift }, claim.side);
    const wanted = resolve ?? claim.mean;
    return {
      ...claim,
      pHolm: adjusted[index],
      verdict: adjusted[index] < 1 - level ? alone : "not resolved",
      verdictAlone: alone,
      ...(claim.sd > 0 && wanted !== 0 ? { pairsFor80: pairsNeeded(claim.sd, wanted) } : {}),
    };
  });
  return { baseline, level, arms, claims: judged };
}

type Table = Map<string, Map<string, Map<string, number>>>;

/** arm, metric, seed -> mean over draws */
function bySeed(results: readonly ArmResult[]): Table {
  const draws = new Map<string, Map<string, Map<string, number[]>>>();
  for (const { arm, seed, metric, value } of results) {
    if (!Number.isFinite(value))
      throw new MoeError("bad-value",
        `compare: ${metric} of "${arm}" at seed ${seed} is ${value}; accepted are finite numbers. Leave `
          + "failed runs out and say so.");
    const metrics = entry(draws, arm, () => new Map<string, Map<string, number[]>>());
    entry(entry(metrics, metric, () => new Map<string, number[]>()), String(seed), () => []).push(value);
  }
  return new Map(
    [...draws].map(
      ([arm, metrics]) => [arm,
        new Map(
          [...metrics].map(
            ([metric, seeds]) => [metric, new Map([...seeds].map(([seed, values]) => [seed, mean(values)]))]
          ),
        )]
    ),
  );
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  if (!map.has(key)) map.set(key, make());
  return map.get(key)!;
}

function valuesOf(table: Table, arm: string, metric: string): Map<string, number> {
  const metrics = table.get(arm);
  if (!metrics)
    throw new MoeError("unknown-arm",
      `compare: arm "${arm}" of a claim has no results. ${suggest(arm, [...table.keys()])}`);
  const seeds = metrics.get(metric);
  if (!seeds)
    throw new MoeError("unknown-metric",
      `compare: arm "${arm}" has no ${metric}. ${suggest(metric, [...metrics.keys()])}`);
  return seeds;
}

function paired(arm: Map<string, number>, rival: Map<string, number>, scale: NonNullable<Claim["scale"]>): number[] {
  return [...arm].filter(([seed]) => rival.has(seed)).map(
    ([seed, value]) => (scale === "log2-ratio" ? Math.log2(value / rival.get(seed)!) : value - rival.get(seed)!)
  );
}
