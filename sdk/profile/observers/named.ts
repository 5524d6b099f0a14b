import { MoeError, suggest } from "../../errors.js";
import type { MergeableObserver } from "../observer.js";
import { routerLogitsObserver } from "./router-logits.js";
import { usageObserver } from "./usage.js";

/** Observers by the name of the statistic that they give; methods ask for them by these names. */
const observers: Record<string, () => MergeableObserver> = {
  usage: usageObserver,
  routerLogits: routerLogitsObserver,
};

/** Names that `observerNamed` accepts. */
export const observerNames: readonly string[] = Object.keys(observers);

/**
 * A fresh observer of one statistic.
 *
 * @throws MoeError `unknown-statistic` with the nearest name
 */
export function observerNamed(statistic: string): MergeableObserver {
  const make = Object.hasOwn(observers, statistic) ? observers[statistic] : undefined;
  if (!make) throw new MoeError("unknown-statistic", `profile: statistic "${statistic}" is not known. ${suggest(statistic, observerNames)}`);
  return make();
}
