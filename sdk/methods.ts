import { lowRankSparse, svdCompression } from "./compress/low-rank-sparse.js";
import { mixtureCompressor } from "./compress/mixture-compressor.js";
import { awq, gptq, nearest } from "./compress/quantize.js";
import { magnitude, sparsegpt, wanda } from "./compress/sparsify.js";
import { MoeError, suggest } from "./errors.js";
import { averaging } from "./merge/averaging.js";
import { gitRebasin } from "./merge/git-rebasin.js";
import { hcSmoe } from "./merge/hc-smoe.js";
import { mSmoe } from "./merge/m-smoe.js";
import { meo } from "./merge/meo.js";
import { ream } from "./merge/ream.js";
import { redirect } from "./merge/redirect.js";
import { repair } from "./merge/repair.js";
import { zipit } from "./merge/zipit.js";
import { isVersion1 } from "./method/changes.js";
import type { Lab } from "./method/lab.js";
import type { Kind, Method, OwnMethod } from "./method/method.js";
import { type Options, type OptionsOf, readOptions } from "./method/options.js";
import type { Plan } from "./plan/plan.js";
import type { Profile } from "./profile/profile.js";
import type { Statistic } from "./profile/statistic.js";
import { blockDrop } from "./prune/block-drop.js";
import { depth } from "./prune/depth.js";
import { eep } from "./prune/eep.js";
import { evopress } from "./prune/evopress.js";
import { expertDrop } from "./prune/expert-drop.js";
import { frequency } from "./prune/frequency.js";
import { layerDrop } from "./prune/layer-drop.js";
import { mone } from "./prune/mone.js";
import { naee } from "./prune/naee.js";
import { reap } from "./prune/reap.js";
import { taskSpecific } from "./prune/task-specific.js";
import { adamoe } from "./route/adamoe.js";
import { dynamicSkipping } from "./route/dynamic-skipping.js";
import { expertsPerToken } from "./route/experts-per-token.js";
import { shown } from "./shown.js";

const builtIn = [mSmoe, redirect, averaging, gitRebasin, repair, zipit, hcSmoe, ream, meo, frequency, taskSpecific,
  reap, mone, naee, eep, evopress, depth, expertDrop, layerDrop, blockDrop, lowRankSparse, svdCompression, nearest,
  gptq, awq, mixtureCompressor, magnitude, wanda, sparsegpt, dynamicSkipping, adamoe, expertsPerToken] as const;
const defined = new Map<string, Method>();

type BuiltIn = (typeof builtIn)[number];

/** moelab's methods of a verb by name, each with the options that it takes. */
export type MethodsOf<K extends Kind> = { [M in BuiltIn as M extends { kind: K } ? M["name"] : never]: OptionsOf<M> };

/**
 * Makes a method known under its name; defining it again replaces it, as re-running a notebook cell does.
 *
 * @throws MoeError `method-name-taken` for the name of a method that moelab brings
 * @example
 * const keepFirst = defineMethod({
 *   name: "keep-first",
 *   options: { keep: { about: "experts that stay in every layer", from: 1, whole: true } },
 *   plan: (profile, { keep }) =>
 *     changeLayers(profile, [], ({ experts }) => keepExperts([...Array(keep).keys()], experts)),
 * });
 */
export function defineMethod<const N extends string,
  const T extends Options = never>(method: OwnMethod<N, T>): OwnMethod<N, T> {
  if (builtIn.some(({ name }) => name === method.name)) {
    throw new MoeError("method-name-taken",
      `defineMethod: "${method.name}" is a method that moelab brings. Choose another name.`);
  }
  defined.set(method.name, method);
  return method;
}

/** All methods: moelab's, then those that were defined. */
export function allMethods(): readonly Method[] {
  return [...builtIn, ...defined.values()];
}

/**
 * Finds a method by its name.
 *
 * @param kind only methods of this stage of the chain
 * @throws MoeError `unknown-method` with the nearest name
 */
export function methodNamed(name: string, kind?: Kind): Method {
  const fitting = allMethods().filter((method) => !kind || !method.kind || method.kind === kind);
  const found = fitting.find((method) => method.name === name);
  if (found) return found;
  throw new MoeError("unknown-method",
    `${kind ?? "plan"}: method ${name === undefined ? "is not named" : `${shown(name)} is not known`}. `
      + `${suggest(typeof name === "string" ? name : "", fitting.map((method) => method.name))}`);
}

/** What a profile must hold for a method with these options. */
export function statisticsFor<M extends Method>({ needs = [], ...method }: M, given: OptionsOf<M>): Statistic[] {
  return [
    ...new Set(["usage",
      ...(typeof needs === "function" ? needs(readOptions(method, given as Record<string, unknown>)) : needs)]),
  ];
}

/**
 * Runs a method on a profile, after its options were checked.
 *
 * @param lab for methods that try: a chain has one
 * @throws MoeError what `readOptions` and the method throw
 * @example await planWith(mSmoe, profile, { keep: 0.25 })
 */
export async function planWith<M extends Method>(
  method: M,
  profile: Profile,
  given: OptionsOf<M>,
  lab?: Lab,
): Promise<Plan> {
  const { name, baselineOf: paper = method.paper } = method;
  const options = given as Record<string, unknown>;
  const changes = await method.plan(profile, readOptions(method, options), lab ?? noLab(name));
  return { version: isVersion1(changes) ? 1 : 2, for: profile.model.fingerprint, method: name, ...(paper && { paper }),
    options: { ...options }, ...changes };
}

/** A lab in which nothing can be tried. */
function noLab(method: string): Lab {
  return new Proxy({} as Lab, { get() {
    throw new MoeError("needs-a-lab",
      `plan: ${method} tries candidates on a model and its data, and was given a profile alone; accepted is a chain, `
        + `whose study has both. Use .plan({ method: "${method}" }) after .profile().`);
  } });
}
