import type { MoeFfnSpec } from "../model/spec.js";
import type { LayerPlan } from "../plan/plan.js";
import type { Matrix } from "../search/blends.js";

/**
 * A layer whose new experts are sums of old ones and whose router's scores are mixed, arXiv:2407.00945, section 4.1.
 * Where the map only chooses outputs, the router's rows are cut: families of their own layout can say that.
 *
 * @param merge [E', E], map [E', E]
 * @param topK choices of a token, at most E'; default as before
 */
export function blended({ experts, router }: MoeFfnSpec, merge: Matrix, map: Matrix, topK?: number): LayerPlan {
  const slots = merge.map((row) => ({
    from: row.flatMap((weight, expert) => (weight === 0 ? [] : [{ expert, weight }])),
  }));
  const rows = map.map((row) => row.indexOf(1));
  const chooses = map.every((row, at) => row.every((value, e) => value === (e === rows[at] ? 1 : 0)));
  const limit = Math.min(topK ?? router.topK, merge.length);
  // the softmax over all, renormalised over the chosen, is that over those that stay
  if (chooses && (router.normalize || router.kind === "chosen-softmax") && router.kind !== "sigmoid") {
    const spec = limit === router.topK ? undefined : { topK: limit };
    return { slots, expertOf: Array.from({ length: experts }, (_, e) => rows.indexOf(e)),
      router: { rows, ...(spec && { spec }) } };
  }
  return { slots, expertOf: merge.map((_, at) => at),
    router: { mix: map.map((row) => [...row]),
      spec: { topK: limit, ...(router.kind === "chosen-softmax" && { kind: "softmax", normalize: true }) } } };
}
