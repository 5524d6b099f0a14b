import { MoeError } from "../errors.js";
import type { Kind, Method, SweepChanged } from "../method/method.js";
import { readOptions } from "../method/options.js";
import { methodNamed, planWith, statisticsFor } from "../methods.js";
import { Model } from "../model/model.js";
import type { LayerId } from "../model/spec.js";
import { applyPlan } from "../plan/apply.js";
import type { Plan } from "../plan/plan.js";
import { joinedParts, profileOf } from "../profile/build-profile.js";
import type { MergeableObserver } from "../profile/observer.js";
import { standsBeside } from "../profile/observers/named.js";
import { checkProfile } from "../profile/profile-file.js";
import type { Profile } from "../profile/profile.js";
import { starvedWarning } from "../profile/starved-experts.js";
import type { Statistic } from "../profile/statistic.js";
import { type LabOptions, StudyLab } from "./lab.js";
import { measureStage } from "./measure-stage.js";
import { limitMemory, type MemoryOptions } from "./memory.js";
import { observe } from "./observe.js";
import { measure, profileStage } from "./profile.js";
import { withFingerprints } from "./sources.js";
import type { StudyState } from "./study-state.js";

/** A method by name (or one of your own), and its options. */
export interface ChangeOptions extends MemoryOptions {
  // an intersection: a plain string would swallow the names that an editor offers
  method: (string & {}) | Method;
  signal?: AbortSignal;
  /** of a method that searches: keeps the scores that were paid for in this folder, and goes on from there */
  state?: string;
  [option: string]: unknown;
}

/**
 * The method that is meant, its own options as given, and those that it reads. A chain asks before its first stage, so
 * that a slip costs no profile.
 *
 * @throws MoeError `unknown-method`, and what `readOptions` throws
 */
export function checkChange(
  { method: named, signal: _, memory: __, state: ___, ...own }: ChangeOptions = {} as ChangeOptions,
  kind?: Kind,
): { method: Method; own: Record<string, unknown>; read: Record<string, unknown> } {
  const isOwn = typeof named === "object" && typeof named?.plan === "function";
  const method = isOwn ? named : methodNamed(named as string, kind);
  return { method, own, read: readOptions(method, own) };
}

/** Makes the plan of a method and stops before carrying it out: `study.plan` can be read, drawn, forecast and saved. */
export async function planStage(given: StudyState, options: ChangeOptions, kind?: Kind): Promise<StudyState> {
  const took = measureStage();
  const { signal } = options;
  const { method, own, read } = checkChange(options, kind);
  const study = await measuredAgain(given, options, kind);
  const { profile: first, tensors } = await withStatistics(study, statisticsFor(method, own), signal);
  const seen = method.observers?.(first, read, study.model) ?? [];
  const second = await withObservers(study, first, seen, signal);
  const profile = method.measure
    ? added(second, await method.measure(second, read, { spec: study.model.spec, sweep: sweepChanged(study, signal) }))
    : second;
  const made = await inLab({ ...study, profile, tensors }, { signal, state: options.state, method: method.name,
    options: read }, (lab) => planWith(method, profile, own, lab));
  const plan = await withFingerprints(made, study.sources);
  const warning = starvedWarning(profile, [...statisticsFor(method, own), ...seen.map(({ name }) => name)]);
  return { ...study, profile, tensors, plan, evaluation: undefined,
    warnings: [...new Set([...(study.warnings ?? []), ...(warning ? [warning] : [])])],
    steps: [...study.steps, { stage: "plan", options: { method: method.name, ...own }, plan, ...took() }] };
}

/** Plans with what can be tried on the study's model and data, and gives back what that took. */
async function inLab(study: StudyState, about: LabOptions, plan: (lab: StudyLab) => Promise<Plan>): Promise<Plan> {
  const lab = new StudyLab(study, about);
  try {
    const made = await plan(lab);
    await lab.close();
    return made;
  } catch (error) {
    await lab.close(error);
    throw error;
  }
}

/**
 * The study with a profile of its model as it is now: the one that it has, or, after a change, a new one on the same
 * data.
 *
 * @throws MoeError `wrong-order` where nothing was measured before, `profile-of-another-model`
 */
export async function measuredAgain(
  study: StudyState,
  { signal, memory }: Pick<ChangeOptions, "signal" | "memory">,
  verb = "plan",
): Promise<StudyState> {
  limitMemory(study.model, { memory });
  const { model, profile, calibration } = study;
  if (!profile || !calibration) {
    throw new MoeError("wrong-order",
      `${verb}: nothing was measured about ${model.id} yet, and a method reads a profile; accepted is a study that was `
        + "profiled, before or after it was changed. Call .profile() before.");
  }
  const fingerprint = await model.weights.fingerprint();
  if (model !== study.original && profile.model.fingerprint !== fingerprint)
    return profileStage(study, { signal }, calibration);
  checkProfile(profile, fingerprint);
  return study;
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
  const { spec, weights } = await applyPlan(study.model, plan, { tensors: study.tensors, sources: study.sources });
  const model = new Model(`${study.model.id}+${plan.method}`, spec, weights, study.model);
  // a model between the original and the last one is seldom asked for again, and in a chain nobody holds it
  if (study.model !== study.original) study.model.rest();
  return { ...study, model, before: study.model, plan, evaluation: undefined,
    steps: [...study.steps, { stage: "apply", options: {}, plan, ...took() }] };
}

/** Plan and apply in one: what `.merge`, `.prune`, `.compress` and `.route` do. */
export async function changeStage(study: StudyState, options: ChangeOptions, kind?: Kind): Promise<StudyState> {
  return applyStage(await planStage(study, options, kind));
}

/** Measures on the same data what a method needs and the profile lacks. */
async function withStatistics(
  study: StudyState,
  needs: Statistic[],
  signal?: AbortSignal,
): Promise<{ profile: Profile; tensors: StudyState["tensors"] }> {
  const { profile: before, tensors = {} } = study as StudyState & { profile: Profile };
  const measured = [before.layers, before.blocks, before.weights].map((part) => Object.values(part ?? {})[0] ?? {});
  const have = (statistic: Statistic) =>
    statistic === "usage" || statistic in tensors
    || measured.some((one) => (statistic === "routerLogits" ? "routerLogitCosine" : statistic) in one);
  // the number of rows behind a tensor stands in the profile, the tensor beside it
  const missing = needs.filter((need) => !have(need) || (standsBeside(need) && !(need in tensors)));
  if (missing.length === 0) return { profile: before, tensors };
  const more = await measure(study.model, study.calibration!, missing, { signal, have: tensors });
  return { profile: profileOf(joinedParts(more.profile, before), before), tensors: more.tensors };
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
