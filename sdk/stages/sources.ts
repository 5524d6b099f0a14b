import { MoeError } from "../errors.js";
import type { SpecAndWeights } from "../model/spec-and-weights.js";
import type { Plan, SourceName } from "../plan/plan.js";
import { loadStage } from "./load.js";
import { measureStage } from "./measure-stage.js";
import type { StudyState } from "./study-state.js";

/**
 * Opens further models that plans may read beside the one that is changed: a folder, a bundled model or `org/name`,
 * by the names that plans use. A name that is given again means the new one.
 *
 * @throws MoeError `bad-source` for a name that is none, and what opening throws
 */
export async function sourcesStage(
  study: StudyState,
  sources: Readonly<Record<SourceName, string>>,
): Promise<StudyState> {
  const took = measureStage();
  const opened: Record<SourceName, SpecAndWeights> = { ...study.sources };
  for (const [name, ref] of Object.entries(sources)) {
    if (name === "" || typeof ref !== "string")
      throw new MoeError("bad-source",
        `with: the source ${JSON.stringify(name)} is ${typeof ref === "string" ? "without a name" : typeof ref}; `
          + "accepted are folders, bundled models and org/name, by a name each. Write { tuned: \"path\" }.");
    opened[name] = (await loadStage(ref)).model;
  }
  return { ...study, sources: opened, steps: [...study.steps, { stage: "with", options: { ...sources }, ...took() }] };
}

/** A plan with the fingerprints of the further models that it reads. */
export async function withFingerprints(plan: Plan, sources: StudyState["sources"] = {}): Promise<Plan> {
  const slots = Object.values(plan.layers).flatMap(({ slots = [] }) => slots.flatMap(({ from }) => from));
  const terms = Object.values(plan.weights ?? {}).flatMap(({ from = [] }) => from);
  const names = [...new Set([...slots, ...terms].flatMap((one) => ("model" in one && one.model) || []))];
  if (names.length === 0) return plan;
  const prints: Record<SourceName, string> = { ...plan.sources };
  for (const name of names) {
    const found = sources[name];
    if (!found && !prints[name])
      throw new MoeError("unknown-source",
        `plan: "${plan.method}" reads a model "${name}", and the study has `
          + `${Object.keys(sources).join(", ") || "no further models"}; accepted are models that were named. Call `
          + `.with({ ${name}: … }) before.`);
    if (found) prints[name] = await found.weights.fingerprint();
  }
  return { ...plan, sources: prints };
}
