import { mean, pairedT, type StudyEntry } from "../evaluate/index.js";
import { type Chart, charts } from "../view/index.js";
import type { StudyFile } from "./study-file.js";

export interface FrontierOptions {
  /** default the last one that is scored */
  stage?: string;
  /** default all */
  arms?: readonly string[];
}

/** Quality against size, a picture for every regime: means over units with their 95 % interval. */
export function frontier(
  entries: readonly StudyEntry[],
  metric: string,
  { by, factor }: StudyFile["measures"][string],
  named: (regime: string) => string,
  { stage, arms }: FrontierOptions,
): Chart[] {
  const scored = entries.filter((entry) => entry.metrics[metric] && (!arms || arms.includes(entry.arm)));
  const last = stage ?? [...new Set(scored.map((entry) => entry.stage))].at(-1);
  return [...new Set(scored.map(({ regime }) => regime))].flatMap((regime) => {
    const own = scored.filter((entry) => entry.regime === regime && entry.stage === last);
    const ratios = (arm: string) => [...new Set(own.filter((entry) => entry.arm === arm).map(({ keep }) => keep))];
    const points = [...new Set(own.map(({ arm }) => arm))].flatMap((arm) =>
      ratios(arm).map((keep) => {
        const mine = own.filter((entry) => entry.arm === arm && entry.keep === keep);
        const values = [...new Set(mine.map(({ run }) => run))].map((run) =>
          factor * mean(mine.filter((entry) => entry.run === run).map((entry) => entry.metrics[metric].value))
        );
        const { low, high } = pairedT(values);
        return { arm: ratios(arm).length > 1 ? `${arm}, ${keep}` : arm,
          size: mean(mine.map(({ about }) => Number(about.parameters))), quality: mean(values),
          ...(values.length > 1 && { low, high }) };
      })
    );
    const words = named(regime);
    return points.length < 2 ? [] : [charts.qualitySize(points, {
      title: `Quality against size${words && `: ${words}`}`,
      quality: `${by}${factor === 100 ? " (%)" : ""}, ${last}, 95 % interval`,
    })];
  });
}
