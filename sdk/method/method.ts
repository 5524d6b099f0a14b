import type { LayerId, ModelSpec } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import type { Plan } from "../plan/plan.js";
import type { MergeableObserver } from "../profile/observer.js";
import type { Profile } from "../profile/profile.js";
import type { Statistic } from "../profile/statistic.js";
import type { SweepChanged } from "./sweep-changed.js";

/**
 * A compression method: a pure function from what was measured to a plan.
 *
 * @example
 * const keepTop = defineMethod({ name: "keep-top", paper: "", needs: ["usage"], plan: (profile, { keep }) => … })
 */
export interface Method<O = Record<string, unknown>> {
  name: string;
  /** arXiv id or other stable reference; "" for none */
  paper: string;
  /** one line for lists */
  about?: string;
  /** which stage of the chain it belongs to */
  kind?: "merge" | "prune" | "compress" | "route";
  /** what it reads, whatever the options */
  needs: Statistic[];
  /** what it reads beyond `needs` with these options */
  needsFor?(options: O): Statistic[];
  /**
   * Observers of a second sweep over the same data, for what depends on what the first one measured, such as groups.
   * Results are put into the profile under the observers' names; what is there already is not measured again.
   */
  observers?(profile: Profile, options: O, model: { spec: ModelSpec; weights: WeightSource }): MergeableObserver[];
  /**
   * Measures what takes sweeps of changed models, such as procedures that prune on the way.
   * @returns statistics by name, each by layer, that are put into the profile
   */
  measure?(
    profile: Profile,
    options: O,
    model: { spec: ModelSpec; sweep: SweepChanged },
  ): Promise<Record<string, Record<LayerId, unknown>>>;
  /** accepted option names; a name that is not here is refused. Absent: anything goes */
  options?: readonly string[];
  plan(profile: Profile, options: O): Plan | Promise<Plan>;
}
