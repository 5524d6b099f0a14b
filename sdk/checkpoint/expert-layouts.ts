import type { Layout } from "./place.js";

const PART = /\.experts\.\{e\}\.(gate|up|down)(\.bias)?$/;

/**
 * The further forms in which checkpoints hold the experts of any family, after those that its file names:
 * - fused, as transformers 5 writes them with `save_original_format=False`: `experts.gate_up_proj` [E, 2F, D] and
 *   `experts.down_proj` [E, D, F], biases `…_proj_bias`; also each matrix of all experts as one tensor
 * - one by one: `experts.{e}.gate_proj.weight` and so on, where a family's file has them fused
 *
 * @param pattern canonical name with {l} and {e}
 * @param gated whether experts of this family have a gate
 */
export function otherExpertLayouts(pattern: string, named: readonly Layout[], gated: boolean): Layout[] {
  const [, part, bias = ""] = PART.exec(pattern) ?? [];
  if (!part) return [];
  const all: Layout[] = [];
  for (const root of new Set(named.map(rootOf))) {
    const ends = bias ? ["_bias", ".bias"] : ["", ".weight"];
    const stack = gated && part !== "down" ? ["gate", "up"] : undefined;
    for (const end of ends) {
      if (stack) all.push({ name: `${root}.gate_up_proj${end}`, expert: "first-axis", stack });
      all.push({ name: `${root}.${part}_proj${end}`, expert: "first-axis" });
    }
    all.push({ name: `${root}.{e}.${part}_proj${bias || ".weight"}` });
    if (stack) all.push({ name: `${root}.{e}.gate_up_proj${bias || ".weight"}`, stack });
  }
  // one by one under the own last word, as tools that take fused experts apart write it: mlp.w1 -> mlp.{e}.w1.weight
  for (const { name, expert, stack } of named) {
    const at = name.lastIndexOf(".");
    if (expert === "rows" && !stack)
      all.push({ name: `${name.slice(0, at)}.{e}${name.slice(at)}${bias || ".weight"}` });
  }
  const known = new Set(named.map(({ name }) => name));
  return all.filter(({ name }) => !known.has(name) && known.add(name));
}

/** Where all experts of a layer lie: up to "experts", which fused forms may leave out. */
function rootOf({ name }: Layout): string {
  const at = name.indexOf(".experts.");
  if (at >= 0) return name.slice(0, at + ".experts".length);
  const owner = name.replace(/\.weight$/, "");
  return `${owner.slice(0, owner.lastIndexOf("."))}.experts`;
}
