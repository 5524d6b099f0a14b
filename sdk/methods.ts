import { lowRankSparse, svdCompression } from "./compress/low-rank-sparse.js";
import { MoeError, suggest } from "./errors.js";
import { averaging } from "./merge/averaging.js";
import { gitRebasin } from "./merge/git-rebasin.js";
import { hcSmoe } from "./merge/hc-smoe.js";
import { mSmoe } from "./merge/m-smoe.js";
import { meo } from "./merge/meo.js";
import { redirect } from "./merge/redirect.js";
import { repair } from "./merge/repair.js";
import { zipit } from "./merge/zipit.js";
import type { Method } from "./method/method.js";
import type { Plan } from "./plan/plan.js";
import type { Profile } from "./profile/profile.js";
import type { Statistic } from "./profile/statistic.js";
import { frequency } from "./prune/frequency.js";
import { naee } from "./prune/naee.js";
import { reap } from "./prune/reap.js";
import { taskSpecific } from "./prune/task-specific.js";
import { dynamicSkipping } from "./route/dynamic-skipping.js";

type AnyMethod = Method<never>;

const builtIn: readonly AnyMethod[] = [mSmoe, redirect, averaging, gitRebasin, repair, zipit, hcSmoe, meo, frequency,
  taskSpecific, reap, naee, lowRankSparse, svdCompression, dynamicSkipping];
const defined = new Map<string, AnyMethod>();

/**
 * Makes a method known under its name; defining it again replaces it, as re-running a notebook cell does.
 *
 * @throws MoeError `method-name-taken` for the name of a method that moelab brings
 * @example
 * const keepFirst = defineMethod({
 *   name: "keep-first", paper: "", needs: [],
 *   plan: (profile) => ({ version: 1, for: profile.model.fingerprint, method: "keep-first", options: {},
 * layers: Object.fromEntries(Object.entries(profile.layers).map(([id, { experts }]) => [id, keepExperts([0],
 * experts)])) }),
 * });
 */
export function defineMethod<O>(method: Method<O>): Method<O> {
  if (builtIn.some(({ name }) => name === method.name)) {
    throw new MoeError("method-name-taken",
      `defineMethod: "${method.name}" is a method that moelab brings. Choose another name.`);
  }
  defined.set(method.name, method as AnyMethod);
  return method;
}

/**
 * Finds a method by its name.
 *
 * @param kind only methods of this stage of the chain
 * @throws MoeError `unknown-method` with the nearest name
 */
export function methodNamed(name: string, kind?: Method["kind"]): Method {
  const fitting = [...builtIn, ...defined.values()].filter((method) => !kind || !method.kind || method.kind === kind);
  const found = fitting.find((method) => method.name === name);
  if (found) return found as unknown as Method;
  throw new MoeError("unknown-method",
    `${kind ?? "plan"}: method ${JSON.stringify(name)} is not known. `
      + `${suggest(String(name), fitting.map((method) => method.name))}`);
}

/** All methods with the paper and one line each, as README's table lists them. */
export function methodList(): { name: string; kind?: Method["kind"]; paper: string; about?: string }[] {
  return [...builtIn, ...defined.values()].map(({ name, kind, paper, about }) => ({ name, kind, paper, about }));
}

/** What a profile must hold for a method with these options. */
export function statisticsFor<O>(method: Method<O>, options: O): Statistic[] {
  return [...new Set([...method.needs, ...(method.needsFor?.(options) ?? [])])];
}

/**
 * Refuses an option that the method does not have.
 *
 * @throws MoeError `unknown-option` with the nearest name
 */
export function checkOptions<O extends object>(method: Method<O>, options: O): void {
  const unknown = method.options && Object.keys(options).find((name) => !method.options!.includes(name));
  if (unknown !== undefined)
    throw new MoeError("unknown-option",
      `${method.kind ?? "plan"}: ${method.name} has no option "${unknown}". ${suggest(unknown, method.options!)}`);
}

/**
 * Runs a method on a profile, after its option names were checked.
 *
 * @throws MoeError `unknown-option`; what the method throws
 */
export async function planWith<O extends object>(method: Method<O>, profile: Profile, options: O): Promise<Plan> {
  checkOptions(method, options);
  return method.plan(profile, options);
}
