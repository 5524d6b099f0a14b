import { MoeError, suggest } from "../errors.js";
import type { Changes } from "../method/method.js";
import type { WeightPlan } from "../plan/plan.js";
import type { Profile } from "../profile/profile.js";
import { isChosen, ofWeights, type WeightChoice } from "../profile/weight-choice.js";

/** `weights` of methods that change matrices wherever they are. */
export const weights = {
  about: `which matrices: "experts"; "all" of the layers; or these names, a beginning of names ends with "."
    ("layers.3.attention."). Routers stay unless they are named whole`,
  words: ["experts", "all"],
  is: (value: unknown): value is string[] =>
    Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string" && !name.includes(",")),
  says: `"experts", "all", or a list of names of weights`,
  default: "experts",
} as const;

/**
 * One plan for each chosen matrix; what the profile saw no input of, as experts that no token chose, gets another.
 *
 * @param statistic of matrices, whose names tell which there are: what is fitted reads it, or its norms serve for that
 * @throws MoeError `unknown-weight`, `no-experts`
 */
export function fitWeights(
  profile: Profile,
  choice: WeightChoice,
  statistic: string,
  { seen, unseen }: { seen: WeightPlan; unseen: WeightPlan },
): Changes {
  const named = ofWeights(statistic, choice);
  const known = Object.entries(profile.weights ?? {}).flatMap(([name, measured]) => (named in measured ? [name] : []));
  const isRouter = (name: string) => /(^|\.)(router|sharedGate)$/.test(name);
  const plans: Record<string, WeightPlan> = {};
  for (const [layer, { expertOf, counts }] of Object.entries(profile.layers)) {
    const path = `${layer}.experts.`;
    const slots = new Set((expertOf ?? counts.map((_, e) => e)).filter((slot) => slot >= 0));
    const used = new Set(counts.flatMap((count, e) => (count > 0 ? [expertOf?.[e] ?? e] : [])));
    for (const slot of slots)
      if (!used.has(slot) && isReached(choice, `${path}${slot}.`)) plans[`${path}${slot}.`] = unseen;
  }
  for (const name of known)
    if (isChosen(choice, name) && (choice.includes(name) || !isRouter(name))) plans[name] = seen;
  const lost = Array.isArray(choice)
    ? choice.find((one) => !Object.keys(plans).some((name) => isChosen([one], name) || one.startsWith(name)))
    : undefined;
  if (lost !== undefined) {
    throw new MoeError("unknown-weight",
      `plan: weights names ${JSON.stringify(lost)}, and no token ran through a matrix of that name. ${
        suggest(lost, known)
      }`);
  }
  if (Object.keys(plans).length === 0)
    throw new MoeError("no-experts",
      `plan: ${profile.model.id} has no experts whose weights could be changed; accepted by weights are "all" and `
        + "names of weights. Choose these, or load a Mixture-of-Experts checkpoint.");
  return { layers: {}, weights: plans };
}

/** whether a choice reaches matrices below this path */
function isReached(choice: WeightChoice, path: string): boolean {
  return choice === "all" || choice === "experts"
    || choice.some((one) => (one.endsWith(".") ? path.startsWith(one) : false) || one.startsWith(path));
}
