import { MoeError, suggest } from "../../errors.js";
import type { MergeableObserver } from "../observer.js";
import { choiceIn, type WeightChoice } from "../weight-choice.js";
import { activationMatchingObserver } from "./activation-matching.js";
import { attentionReceivedObserver } from "./attention-received.js";
import { channelNormsObserver } from "./channel-norms.js";
import { chosenGateMassObserver } from "./chosen-gate-mass.js";
import { coactivationObserver } from "./coactivation.js";
import { featureCorrelationObserver } from "./feature-correlation.js";
import { gateMassObserver } from "./gate-mass.js";
import { gateRatioObserver } from "./gate-ratio.js";
import { inputGramObserver } from "./input-gram.js";
import { inputNormsObserver } from "./input-norms.js";
import { inputSampleObserver } from "./input-sample.js";
import { meanAbsInputObserver, meanInputObserver } from "./mean-input.js";
import { gatedMeanOutputObserver, meanOutputObserver, routedMeanOutputObserver } from "./mean-output.js";
import { outputCosineObserver } from "./output-cosine.js";
import { outputSpreadObserver } from "./output-spread.js";
import { routerLogitProductsObserver, routerLogitsObserver } from "./router-logits.js";
import { saliencyObserver } from "./saliency.js";
import { streamCosineObserver } from "./stream-cosine.js";
import { streamWindowsObserver } from "./stream-windows.js";
import { subsetLossObserver } from "./subset-loss.js";
import { usageObserver } from "./usage.js";
import { zipMatchingObserver } from "./zip-matching.js";

/** Observers by the name of the statistic that they give; methods ask for them by these names. */
const ofExperts: Record<string, () => MergeableObserver> = {
  usage: usageObserver,
  routerLogits: routerLogitsObserver,
  "gram.router-logits": routerLogitProductsObserver,
  gateMass: gateMassObserver,
  chosenGateMass: chosenGateMassObserver,
  gateRatio: gateRatioObserver,
  coactivation: coactivationObserver,
  meanOutput: meanOutputObserver,
  routedMeanOutput: routedMeanOutputObserver,
  gatedMeanOutput: gatedMeanOutputObserver,
  outputSpread: outputSpreadObserver,
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
  return /^(routedMeanOutput|outputSpread)$/.test(name)
    || /^(meanInput|meanAbsInput|channelNorms|saliency|gradients|fisher.*|sensitivity|zip\..*)$/.test(name)
    || /^(activationMatching|rowImportance|groupNeurons|bitErrors|gram\.inputs|inputNorms|inputs\.)/.test(name)
    || /^similarity\.(output\.routed|feature-correlation\..*|mse|.*gradient)$/.test(name);
}

/** The same of statistics that a model without experts has, too; those of matrices are of the chosen ones. */
const ofAnyModel: Record<string, (choice: WeightChoice) => MergeableObserver> = {
  streamCosine: streamCosineObserver,
  attentionReceived: attentionReceivedObserver,
  inputNorms: inputNormsObserver,
  "gram.inputs": inputGramObserver,
};

/** Names of statistics of MoE layers that `observerNamed` accepts, and of those of any model. */
export const observerNames: readonly string[] = Object.keys(ofExperts);
export const anyModelNames: readonly string[] = Object.keys(ofAnyModel);

/** Whether a model without experts has a statistic: of its stream, of what its matrices multiply, gradients. */
export function needsExperts(statistic: string): boolean {
  return !anyModelObserver(statistic)
    && !/^(gradients|fisher)(?!\.classes$)(\.all$|:)|^outputGradient$/.test(statistic);
}

/** Whether a statistic is too large for a profile and stands beside it. */
export function standsBeside(statistic: string): boolean {
  return /^(gram\.inputs|inputNorms|inputs\.\d+|attentionReceived|gradients|fisher)/.test(statistic);
}

/**
 * Statistics of matrices are of all, or of those that their name says (`WeightChoice`); `streamWindows.3` is of up to 3
 * layers in a row, `inputs.512` a sample of up to 512 rows.
 */
function anyModelObserver(name: string): MergeableObserver | undefined {
  const windows = /^streamWindows\.([1-9]\d{0,3})$/.exec(name);
  if (windows) return streamWindowsObserver(Number(windows[1]));
  const { statistic, choice } = choiceIn(name);
  const sample = /^inputs\.([1-9]\d{0,5})$/.exec(statistic);
  if (sample) return inputSampleObserver(Number(sample[1]), choice);
  const found = Object.hasOwn(ofAnyModel, statistic) ? ofAnyModel[statistic](choice) : undefined;
  return found?.name === name ? found : undefined;
}

/**
 * A fresh observer of one statistic, by its name or one of `anyModelObserver`. `subsetLoss.6` tries the subsets of 6
 * experts (`subsetLoss.6.most.100` at most 100), and `zip.6.1` matches neurons in the 6 random groups of seed 1,
 * whatever the numbers.
 *
 * @throws MoeError `unknown-statistic` with the nearest name
 */
export function observerNamed(statistic: string): MergeableObserver {
  const zip = /^zip\.([\d.]+)\.(\d+)$/.exec(statistic);
  if (zip) return zipMatchingObserver(Number(zip[1]), Number(zip[2]));
  const subsets = /^subsetLoss\.(\d*\.?\d+(?:e-\d+)?)(?:\.most\.(\d+))?$/.exec(statistic);
  if (subsets)
    return subsetLossObserver({ keep: Number(subsets[1]), ...(subsets[2] && { maxSubsets: Number(subsets[2]) }) });
  const found = Object.hasOwn(ofExperts, statistic) ? ofExperts[statistic]() : anyModelObserver(statistic);
  if (!found) {
    throw new MoeError("unknown-statistic",
      `profile: statistic "${statistic}" is not known. ${suggest(statistic, [...observerNames, ...anyModelNames])}`);
  }
  return found;
}
