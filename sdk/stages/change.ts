import { MoeError } from "../errors.js";
import type { Method } from "../method/method.js";
import type { SweepChanged } from "../method/sweep-changed.js";
import { checkOptions, methodNamed, planWith, statisticsFor } from "../methods.js";
import { Model } from "../model/model.js";
import type { LayerId } from "../model/spec.js";
import { applyPlan } from "../plan/apply.js";
import type { Plan } from "../plan/plan.js";
import type { MergeableObserver } from "../profile/observer.js";
import { checkProfile } from "../profile/profile-file.js";
import type { Profile } from "../profile/profile.js";
import type { Statistic } from "../profile/statistic.js";
import { measureStage } from "./measure-stage.js";
import { limitMemory, type MemoryOptions } from "./memory.js";
import { measure, measureTensors, observe } from "./profile.js";
import type { StudyState } from "./study-state.js";

/** A method by name (or one of your own), and its options. */
export interface ChangeOptions extends MemoryOptions {
  // an intersection: a plain string would swallow the names that an editor offers
  method: (string & {}) | Method<never>;
  signal?: AbortSignal;
  [option: string]: unknown;
}

/**
 * The method that is meant, and its own options. A chain asks before its first stage, so that a slip costs no profile.
 *
 * @throws MoeError `unknown-method`, `unknown-option`
 */
export function checkChange(
  { method: named, signal: _, memory: __, ...own }: ChangeOptions,
  kind?: Method["kind"],
): { method: Method; own: Record<string, unknown> } {
  const method = typeof named === "string" ? methodNamed(named, kind) : (named as unknown as Method);
  checkOptions(method, own);
  return { method, own };
}

/** Makes the plan of a method and stops before carrying it out: `study.plan` can be read, drawn, forecast and saved. */
export async function planStage(study: StudyState, options: ChangeOptions, kind?: Method["kind"]): Promise<StudyState> {
  const took = measureStage();
  const { signal, memory } = options;
  const { method, own } = checkChange(options, kind);
  limitMemory(study.model, { memory });
  if (!study.profile || !study.calibration) {
    throw new MoeError("wrong-order",
      `${kind ?? "plan"}: nothing was measured about ${study.model.id} yet; a method reads a profile. Call `
        + ".profile() before.");
  }
  checkProfile(study.profile, await study.model.weights.fingerprint());
  const { profile: first, tensors } = await withStatistics(study, statisticsFor(method, own), signal);
  const second = await withObservers(study, first, method.observers?.(first, own, study.model) ?? [], signal);
  const profile = method.measure
    ? added(second, await method.measure(second, own, { spec: study.model.spec, sweep: sweepChanged(study, signal) }))
    : second;
  const plan = await planWith(method, profile, own);
  return { ...study, profile, tensors, plan, evaluation: undefined,
    steps: [...study.steps, { stage: "plan", options: { method: method.name, ...own }, plan, ...took() }] };
}

/** Carries out the plan of the study, or one that is given. Undo is going back to the study before. */
export async function applyStage(
  study: StudyState,
  plan = study.plan,
  options: MemoryOptions = {},
): Promise<StudyState> {
  const took = measureStage();
  limitMemory(study.model, options);
  if (!plan)
    throw new MoeError("wrong-order",
      "apply: there is no plan yet. Call .plan({ method }), .merge({ method }) or .prune({ method }) "
        + "before, or give a plan.");
  const { spec, weights } = await applyPlan(study.model, plan, { tensors: study.tensors });
  const model = new Model(`${study.model.id}+${plan.method}`, spec, weights, study.model);
  // a model between the original and the last one is seldom asked for again, and in a chain nobody holds it
  if (study.model !== study.original) study.model.rest();
  return { ...study, model, before: study.model, plan, evaluation: undefined,
    steps: [...study.steps, { stage: "apply", options: {}, plan, ...took() }] };
}

/** Plan and apply in one: what `.merge`, `.prune`, `.compress` and `.route` do. */
export async function changeStage(
  study: StudyState,
  options: ChangeOptions,
  kind: Method["kind"],
): Promise<StudyState> {
  return applyStage(await planStage(study, options, kind));
}

/** Measures on the same data what a method needs and the profile lacks. */
async function withStatistics(
  study: StudyState,
  needs: Statistic[],
  signal?: AbortSignal,
): Promise<{ profile: Profile; tensors: StudyState["tensors"] }> {
  const profile = study.profile!;
  const layer = Object.values(profile.layers)[0];
  const have = (statistic: Statistic) =>
    statistic === "usage" || (statistic === "routerLogits" ? "routerLogitCosine" : statistic) in layer;
  const missing = needs.filter((need) => !have(need));
  if (missing.length === 0) return { profile, tensors: study.tensors };
  const tensors = await measureTensors(study.model, study.calibration!, missing, signal, study.tensors);
  const rest = missing.filter((need) => !(need in tensors));
  if (rest.length === 0) return { profile, tensors };
  const more = await measure(study.model, study.calibration!, rest, signal, tensors);
  const layers = Object.fromEntries(
    Object.entries(profile.layers).map(([id, measured]) => [id, { ...more.layers[id], ...measured }]),
  );
  return { profile: { ...profile, layers }, tensors };
}

/** What a method wants to be seen in a second sweep, as far as the profile lacks it. */
async function withObservers(
  study: StudyState,
  profile: Profile,
  observers: MergeableObserver[],
  signal?: AbortSignal,
): Promise<Profile> {
  const missing = observers.filter(({ name }) => Object.values(profile.layers).every((layer) => !(name in layer)));
  if (missing.length === 0) return profile;
  await observe(study.model, study.calibration!, missing, signal);
  return added(profile, Object.fromEntries(missing.map((observer) => [observer.name, observer.result()])));
}

/** The profile with further statistics, by name and layer. */
function added(profile: Profile, statistics: Record<string, Record<LayerId, unknown>>): Profile {
  const layers = { ...profile.layers };
  for (const [name, results] of Object.entries(statistics))
    for (const [id, result] of Object.entries(results)) layers[id] = { ...layers[id], [name]: result };
  return { ...profile, layers };
}

/** Sweeps the study's data through its model with some layers changed. */
function sweepChanged(study: StudyState, signal?: AbortSignal): SweepChanged {
  return async (layers, observers) => {
    const plan: Plan = { version: 1, for: await study.model.weights.fingerprint(), method: "progressive", options: {},
      layers };
    const { spec, weights } = await applyPlan(study.model, plan);
    const changed = Object.keys(layers).length > 0
      ? new Model(study.model.id, spec, weights, study.model)
      : study.model;
    try {
      await observe(changed, study.calibration!, observers, signal);
    } finally {
      if (changed !== study.model) await changed.dispose();
    }
  };
}
