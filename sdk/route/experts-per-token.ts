import { changeLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import { excludeNone } from "../method/usual-options.js";

/**
 * Runs another number of experts for each token, and may leave out the best ones: how a model does with fewer or more
 * than it was trained with (SMoE-Dropout, arXiv:2303.01610; DeepSeekMoE, arXiv:2401.06066, figures 4 and 5).
 *
 * @example await planWith(expertsPerToken, profile, { topK: 4, skip: 1 })
 */
export const expertsPerToken = method({
  name: "experts-per-token",
  paper: "arXiv:2303.01610",
  kind: "route",
  about: "runs another number of experts for each token, and may leave out the best ones",
  options: {
    topK: { about: "experts of a token", from: 1, whole: true },
    skip: { about: "best router outputs of a token that are left out", from: 0, whole: true, default: 0 },
    exclude: excludeNone,
  },
  plan: (profile, { topK, skip, exclude }) =>
    changeLayers(profile, exclude, () => ({
      router: { spec: { topK, choose: skip > 0 ? { kind: "top", skip } : null } },
    })),
});
