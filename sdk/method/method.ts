import type { LayerId, ModelSpec } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import type { LayerPlan } from "../plan/plan.js";
import type { MergeableObserver, Observer } from "../profile/observer.js";
import type { Profile } from "../profile/profile.js";
import type { Statistic } from "../profile/statistic.js";
import type { Changes } from "./changes.js";
import type { Lab } from "./lab.js";
import type { Filled, Options } from "./options.js";

export type { Changes };

/** Which verb of the chain a method belongs to. */
export type Kind = "merge" | "prune" | "compress" | "route";

/** Sweeps the calibration data through the model with these layers changed, and shows what happens to observers. */
export type SweepChanged = (layers: Record<LayerId, LayerPlan>, observers: readonly Observer[]) => Promise<void>;

/**
 * A method: a pure function from what was measured to what changes.
 *
 * @typeParam O options as it reads them: checked by its table, defaults filled in
 */
// any: a method of one's own without a table reads what it is given
export interface Method<O = any> {
  name: string;
  /** arXiv id or other stable reference */
  paper?: string;
  /** the paper that ran it in this form, as a baseline: its plans name that one */
  baselineOf?: string;
  /** one line for lists */
  about?: string;
  /** absent: every verb takes it */
  kind?: Kind;
  /** absent: anything goes */
  options?: Options;
  /** what it reads beyond the usage of experts, perhaps depending on its options */
  needs?: readonly Statistic[] | ((options: O) => readonly Statistic[]);
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
  /** Pure where it does not ask the lab. */
  plan(profile: Profile, options: O, lab: Lab): Changes | Promise<Changes>;
}

/** A method whose options have the types of its table. */
export interface MethodOf<N extends string, K extends Kind, T extends Options> extends Method<Filled<T>> {
  name: N;
  kind: K;
  options: T;
}

/** A method of one's own; without a table of options it reads whatever it is given. */
export interface OwnMethod<N extends string, T extends Options> extends Method<[T] extends [never] ? any : Filled<T>> {
  name: N;
  options?: T;
}

/** Declares a method: gives the types of its table to `needs`, `plan` and the chain. */
export function method<const N extends string, const K extends Kind,
  const T extends Options>(declared: MethodOf<N, K, T>): MethodOf<N, K, T> {
  return declared;
}
