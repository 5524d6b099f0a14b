import { MoeError } from "../errors.js";
import { changeLayers } from "../method/layers-to-change.js";
import { method } from "../method/method.js";
import { excludeNone } from "../method/usual-options.js";
import type { RouterLoss } from "../train/objectives/router-loss.js";

/**
 * Null experts for a trained MoE: AdaMoE, arXiv:2406.13233, section 3. Beside n true experts a token may choose m that
 * give nothing and cost nothing, so that how many true ones it uses depends on it. Their router rows begin as copies of
 * the true ones, repeated in order (section 3.5), and gates are normalised over the true ones that were chosen
 * (section 3.4). Of equal scores the true expert comes first; so a model is to be trained on before it is judged, with
 * `adamoeLosses`.
 *
 * @example await planWith(adamoe, profile, { nulls: 8, topK: 3 })
 */
export const adamoe = method({
  name: "adamoe",
  paper: "arXiv:2406.13233",
  kind: "route",
  about: "adds null experts, so that each token chooses how many true ones it uses",
  options: {
    nulls: { about: "m, null experts of a layer; 0 leaves the choice as it was", from: 0, whole: true },
    topK: { about: "k, experts that a token chooses, null ones included", from: 1, whole: true },
    normalize: {
      about: "over which of the chosen experts gates sum to 1: the true ones (option 2 of the paper), or all",
      words: ["true", "all"],
      default: "true",
    },
    exclude: excludeNone,
  },
  plan: (profile, { nulls, topK, normalize, exclude }) =>
    changeLayers(profile, exclude, ({ experts, expertOf = Array.from({ length: experts }, (_, e) => e) }) => {
      if (topK > experts + nulls)
        throw new MoeError("keep-out-of-range",
          `route: topK is ${topK} of ${experts} true and ${nulls} null experts; accepted is at most their sum.`);
      const rows = Array.from({ length: experts + nulls }, (_, output) => output % experts);
      return { expertOf: rows.map((row, output) => (output < experts ? expertOf[row] : -1)),
        router: { rows, spec: { topK, normalize: normalize === "all" || "nonzero" } } };
    }),
});

/**
 * What AdaMoE adds to the loss: equation 6, in which all null experts count by their mean load; its weight is tight in
 * the first half of the steps and loose after that (in the paper: in the first and the second epoch).
 */
export function adamoeLosses({ weights = [0.02, 0.0001], together = true }: { weights?: [tight: number, loose: number];
  together?: boolean } = {}): RouterLoss[] {
  return [{ kind: "balance", of: "tokens", together, weight: [[0, weights[0]], [0.5, weights[1]]] }];
}
