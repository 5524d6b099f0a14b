import { MoeError, suggest } from "../../errors.js";
import type { MergeableObserver } from "../observer.js";
import { activationMatchingObserver } from "./activation-matching.js";
import { channelNormsObserver } from "./channel-norms.js";
import { coactivationObserver } from "./coactivation.js";
import { featureCorrelationObserver } from "./feature-correlation.js";
import { gateMassObserver } from "./gate-mass.js";
import { gateRatioObserver } from "./gate-ratio.js";
import { meanAbsInputObserver, meanInputObserver } from "./mean-input.js";
import { meanOutputObserver, routedMeanOutputObserver } from "./mean-output.js";
import { outputCosineObserver } from "./output-cosine.js";
import { routerLogitProductsObserver, routerLogitsObserver } from "./router-logits.js";
import { saliencyObserver } from "./saliency.js";
import { subsetLossObserver } from "./subset-loss.js";
import { usageObserver } from "./usage.js";
import { zipMatchingObserver } from "./zip-matching.js";

/** Observers by the name of the statistic that they give; methods ask for them by these names. */
const observers: Record<string, () => MergeableObserver> = {
  usage: usageObserver,
  routerLogits: routerLogitsObserver,
  "gram.router-logits": routerLogitProductsObserver,
  gateMass: gateMassObserver,
  gateRatio: gateRatioObserver,
  coactivation: coactivationObserver,
  meanOutput: meanOutputObserver,
  routedMeanOutput: routedMeanOutputObserver,
  meanInput: meanInputObserver,
  meanAbsInput: meanAbsInputObserver,
  channelNorms: channelNormsObserver,
  saliency: saliencyObserver,
  activationMatching: () => activationMatchingObserver(),
  "activationMatching.all": () => activationMatchingObserver({ pairs: "all" }),
  "similarity.output": () => outputCosineObserver("all"),
  "similarity.output.routed": () => outputCosineObserver("routed"),
  "similarity.feature-correlation.lsa": () => featureCorrelationObserver("lsa"),
  "similarity.feature-correlation.max": () => featureCorrelationObserver("max"),
};

/** Whether a statistic is measured over the tokens of single experts, so that an expert without tokens has none. */
export function overRoutedTokens(name: string): boolean {
  return /^(routedMeanOutput|meanInput|meanAbsInput|channelNorms|saliency|gradients|fisher.*|sensitivity|zip\..*)$/
    .test(name)
    || /^(activationMatching|rowImportance|groupNeurons)/.test(name)
    || /^similarity\.(output\.routed|feature-correlation\..*|mse|.*gradient)$/.test(name);
}

/** Names that `observerNamed` accepts. */
export const observerNames: readonly string[] = Object.keys(observers);

/**
 * A fresh observer of one statistic. `subsetLoss.6` tries the subsets of 6 experts (`subsetLoss.6.most.100` at most
 * 100) and
 * `zip.6.1` matches neurons in the 6 random groups of seed 1, whatever the numbers.
 *
 * @throws MoeError `unknown-statistic` with the nearest name
 */
export function observerNamed(statistic: string): MergeableObserver {
  const zip = /^zip\.([\d.]+)\.(\d+)$/.exec(statistic);
  if (zip) return zipMatchingObserver(Number(zip[1]), Number(zip[2]));
  const subsets = /^subsetLoss\.(\d*\.?\d+(?:e-\d+)?)(?:\.most\.(\d+))?$/.exec(statistic);
  if (subsets)
    return subsetLossObserver({ keep: Number(subsets[1]), ...(subsets[2] && { maxSubsets: Number(subsets[2]) }) });
  const make = Object.hasOwn(observers, statistic) ? observers[statistic] : undefined;
  if (!make)
    throw new MoeError("unknown-statistic",
      `profile: statistic "${statistic}" is not known. ${suggest(statistic, observerNames)}`);
  return make();
}
