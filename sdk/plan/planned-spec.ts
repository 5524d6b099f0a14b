import { MoeError } from "../errors.js";
import { type ExpertSpec, layerId, type LayerSpec, type ModelSpec, type MoeFfnSpec } from "../model/spec.js";
import { RowBudget } from "./kept-rows.js";
import type { LayerPlan, Plan, SlotRecipe } from "./plan.js";

/**
 * The architecture that a plan leads to. Touches no weight, so it costs nothing: what is forecast is exactly
 * what is applied. The plan has been checked (`checkPlan`); the given spec is left as it is.
 */
export function plannedSpec(spec: ModelSpec, plan: Plan): ModelSpec {
  const planned = structuredClone(spec);
  const budget = new RowBudget();
  for (const stack of ["encoder", "decoder"] as const) {
    const layers = planned[stack]?.layers ?? [];
    const owned = layers.some((layer) => relativeBias(layer)?.own);
    layers.forEach((layer, index) => {
      const change = plan.layers[layerId(stack, index)];
      if (change) layers[index] = plannedLayer(layer, change, spec.width, budget);
    });
    // the owner of T5's bias table may be gone: the first attention that is left takes it
    const heir = layers.map(relativeBias).find((relative) => relative !== undefined);
    if (owned && heir) heir.own = true;
  }
  return planned;
}

function plannedLayer(layer: LayerSpec, change: LayerPlan, width: number, budget: RowBudget): LayerSpec {
  if (change.drop === "layer") return { norm: layer.norm };
  if (change.drop === "attention") delete layer.attention;
  if (change.drop === "ffn") delete layer.ffn;
  if (layer.ffn?.kind === "moe") layer.ffn = plannedFfn(layer.ffn, change, width, budget);
  return layer;
}

/** T5's bias of a layer that has one */
export function relativeBias({ attention }: LayerSpec): { own: boolean } | undefined {
  return attention?.kind === "softmax" ? attention.relative : undefined;
}

function plannedFfn(ffn: MoeFfnSpec, change: LayerPlan, width: number, budget: RowBudget): MoeFfnSpec {
  const planned = { ...ffn, router: { ...ffn.router } };
  if (change.slots) planned.slots = change.slots.map((recipe) => plannedSlot(ffn, recipe, width, budget));
  if (change.expertOf) planned.expertOf = [...change.expertOf];

  const router = change.router ?? {};
  if (router.topK !== undefined) planned.router.topK = router.topK;
  if (router.skipBelow !== undefined) planned.router.skipBelow = router.skipBelow;
  if (router.merge !== undefined) planned.router.merge = router.merge;
  if (router.combine !== undefined) planned.router.combine = router.combine;
  if (router.mask)
    planned.router.masked = [...new Set([...(ffn.router.masked ?? []), ...router.mask])].sort((a, b) => a - b);
  if (router.maskBy) planned.router.maskBy = router.maskBy;
  if (router.rows) {
    const rows = router.rows;
    planned.experts = rows.length;
    planned.expertOf = rows.map((row) => planned.expertOf[row]);
    const masked = (planned.router.masked ?? []).map((row) => rows.indexOf(row)).filter((row) => row >= 0);
    if (masked.length > 0) planned.router.masked = masked.sort((a, b) => a - b);
    else delete planned.router.masked;
  }
  return planned;
}

function plannedSlot(ffn: MoeFfnSpec, recipe: SlotRecipe, width: number, budget: RowBudget): ExpertSpec {
  const first = storedSlot(ffn, recipe.from[0].expert);
  const alone = recipe.from.length === 1 && recipe.from[0].weight === 1 && !recipe.elementwise && !recipe.zip;
  // a sum of factored experts is dense; a single one that nothing changes keeps its form
  if (!recipe.form) return alone && !recipe.align ? structuredClone(first) : { form: "dense", width: first.width };
  if (recipe.form.form === "dense") return { form: "dense", width: first.width };
  const rows: Record<string, number> = {};
  for (const matrix of ffn.gated ? ["up", "gate", "down"] : ["up", "down"]) {
    const [out, columns] = matrix === "down" ? [width, first.width] : [first.width, width];
    rows[matrix] = recipe.form.rows?.[matrix]?.length ?? budget.take(out, columns, recipe.form.keep);
  }
  return { form: "low-rank-sparse", width: first.width, rank: recipe.form.rank, rows };
}

/** The stored expert behind a router output. @throws MoeError `no-expert` */
export function storedSlot(ffn: MoeFfnSpec, expert: number): ExpertSpec {
  const slot = ffn.slots[ffn.expertOf[expert]];
  if (!slot)
    throw new MoeError("no-expert", `plan: router output ${expert} has no stored expert. Take it out of the recipe.`);
  return slot;
}
