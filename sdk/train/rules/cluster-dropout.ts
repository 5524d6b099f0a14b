import { MoeError } from "../../errors.js";
import { Rng } from "../../tensor/index.js";
import { type TrainingRule, withRouters } from "./training-rule.js";

export interface ClusterDropoutOptions {
  /** share of the experts of a cluster that takes no part, 0 <= rate < 1 */
  rate: number;
  /** runs of neighbours out of which the same number stays; 1 draws from all */
  clusters: number;
  /** steps for which a draw holds; default 250 */
  interval?: number;
  seed?: number;
}

/** How many of `experts` stay, as the released code rounds: int((1 - rate) experts). */
export function survivorCount(rate: number, experts: number): number {
  return Math.floor((1 - rate) * experts);
}

/** Drops experts at random inside each cluster while a model is trained: MoEC, arXiv:2207.09094. All are used later. */
export function clusterDropout({ rate, clusters, interval = 250, seed = 0 }: ClusterDropoutOptions): TrainingRule {
  return {
    before: (step, _steps, spec) =>
      withRouters(spec, (router, layer, experts) => {
        const size = experts / clusters, stay = survivorCount(rate, size);
        if (!Number.isInteger(size) || stay < 1)
          throw new MoeError("bad-option",
            `train: clusterDropout keeps ${stay} of ${size} experts in each of ${clusters} clusters; accepted `
              + "are clusters of equal size and a rate that leaves one. Change rate or clusters.");
        const rng = new Rng(`${seed} ${layer} ${Math.floor((step - 1) / interval)}`);
        const masked = Array.from({ length: clusters },
          (_, cluster) => rng.shuffle(Array.from({ length: size }, (_, e) => cluster * size + e)).slice(stay)).flat();
        return { masked: [...new Set([...(router.masked ?? []), ...masked])].sort((a, b) => a - b) };
      }),
  };
}
