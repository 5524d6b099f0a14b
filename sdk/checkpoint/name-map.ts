import { MoeError } from "../errors.js";
import { expectedTensors, type ExpectedTensor } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import type { Family } from "./family.js";
import { placeOf, type Layout, type Place } from "./place.js";

/**
 * The layouts a canonical weight may have on disk, best first. Layer and expert numbers are carried over; the factors
 * of a low-rank-sparse matrix follow the name of the matrix; each name is also tried behind the family's prefixes.
 */
export function diskLayouts(canonical: string, family: Family): Layout[] {
  const factor = canonical.match(/(?<=\.(?:gate|up|down))\.(?:u|v|s|s\.rows)$/)?.[0] ?? "";
  const whole = canonical.slice(0, canonical.length - factor.length);
  const layer = whole.match(/(?<=(?:^|\.)layers\.)\d+/)?.[0] ?? "";
  const expert = whole.match(/(?<=\.experts\.)\d+/)?.[0] ?? "";
  const pattern = whole.replace(/(^|\.)layers\.\d+/, "$1layers.{l}").replace(/\.experts\.\d+/, ".experts.{e}");
  const found = family.names[pattern] ?? biasOf(pattern, family);
  const layouts = (found === undefined ? [] : [found].flat()).map((entry): Layout => (typeof entry === "string" ? { name: entry } : entry));
  // the factors of experts that a family stores together have sizes of their own: each is a tensor of its own
  const apart = factor ? `.${expert}${whole.slice(whole.lastIndexOf("."))}${factor}` : "";
  return layouts.flatMap((layout) => (family.prefixes ?? [""]).map((prefix) => {
    const name = prefix + layout.name.replace("{l}", layer).replace("{e}", expert);
    if (factor && layout.expert) return { name: name + apart };
    return factor === ".s.rows" ? { name: name + factor } : { ...layout, name: name + factor };
  }));
}

/**
 * The names a canonical weight may have on disk, best first.
 * @example diskNames("layers.3.experts.5.up", mixtral)  // ["model.layers.3.block_sparse_moe.experts.5.w3.weight"]
 */
export function diskNames(canonical: string, family: Family): string[] {
  return diskLayouts(canonical, family).map(({ name }) => name);
}

/** A bias that a family file does not name lies beside its matrix, without axes of length 1. */
function biasOf(pattern: string, family: Family): Family["names"][string] | undefined {
  if (!pattern.endsWith(".bias")) return undefined;
  const matrix = family.names[pattern.slice(0, -".bias".length)];
  const beside = (entry: string | Layout): string | Layout =>
    (typeof entry === "string" ? entry.replace(/\.weight$/, ".bias") : { ...entry, squeeze: undefined, name: entry.name.replace(/\.weight$/, ".bias") });
  return matrix === undefined ? undefined : [matrix].flat().map(beside);
}

/**
 * Finds every weight of a spec on disk and accounts for every tensor of the disk.
 * @returns canonical name -> place on disk
 * @throws MoeError `missing-tensors`, `unknown-tensors`, `shape-mismatch`, each naming what it is about
 */
export function mapNames(spec: ModelSpec, family: Family, disk: { names(): Iterable<string>; has(name: string): boolean; info(name: string): { shape: number[] } }): Map<string, Place> {
  const places = new Map<string, Place>();
  const missing: string[] = [];
  const placed = placer(spec);
  for (const tensor of expectedTensors(spec)) {
    const { name } = tensor;
    const layouts = diskLayouts(name, family);
    const layout = layouts.find((candidate) => disk.has(candidate.name));
    if (!layout) {
      missing.push(`${name} (${layouts[0]?.name ?? "no name in the family file"})`);
      continue;
    }
    const place = placed(tensor, layout);
    const seen = disk.info(place.name).shape;
    if (seen.join() !== place.diskShape.join()) {
      throw new MoeError("shape-mismatch", `load: ${place.name} has shape [${seen}], config.json says [${place.diskShape}] (${name}); the checkpoint and its config disagree. Check that both come from the same revision.`);
    }
    places.set(name, place);
  }
  if (missing.length) throw new MoeError("missing-tensors", `load: ${some(missing)} missing; family "${family.family}" needs ${places.size + missing.length} tensors. Check that all shards are there.`);
  const asked = new Set([...places.values()].map(({ name }) => name));
  const explained = explainer(spec, family);
  const unknown = [...disk.names()].filter((name) => !asked.has(name) && !explained(name));
  if (unknown.length) throw new MoeError("unknown-tensors", `load: ${some(unknown)} in the checkpoint but unknown to family "${family.family}"; accepted are its ${asked.size} tensors. Check model_type, or name them under "copies" if they hold nothing of their own, under "unused" if the model does not run them.`);
  return places;
}

/** Resolves layouts with what a weight is stacked with: its neighbours by name, and the experts of its layer. */
export function placer(spec: ModelSpec): (tensor: ExpectedTensor, layout: Layout) => Place {
  const heights = new Map<string, Record<string, number>>();
  const counts = new Map<string, number>();
  for (const { name, shape } of expectedTensors(spec)) {
    const { owner, part, layer, expert } = parts(name);
    const rows = heights.get(owner) ?? {};
    rows[part] = shape[0];
    heights.set(owner, rows);
    if (expert !== undefined) counts.set(layer, Math.max(counts.get(layer) ?? 0, expert + 1));
  }
  return ({ name, shape }, layout) => {
    const { owner, part, layer, expert } = parts(name);
    return placeOf(layout, part, shape, heights.get(owner) ?? {}, expert === undefined ? undefined : { at: expert, of: counts.get(layer) ?? 0 });
  };
}

/** "layers.3.experts.5.up.bias" -> owner "layers.3.experts.5 bias", part "up", layer "layers.3", expert 5 */
function parts(name: string): { owner: string; part: string; layer: string; expert?: number } {
  const bias = name.endsWith(".bias");
  const words = (bias ? name.slice(0, -".bias".length) : name).split(".");
  const part = words.pop() as string;
  const expert = name.match(/^(.*)\.experts\.(\d+)\./);
  return { owner: `${words.join(".")}${bias ? " bias" : ""}`, part, layer: expert?.[1] ?? "", expert: expert ? Number(expert[2]) : undefined };
}

/**
 * What a tensor that no weight asks for is: a "copy" that holds nothing of its own, "unused" by the model, part of a layer
 * "beyond" the last (`{beyond}` in a family's pattern is its number), or unknown.
 */
export function explainer(spec: ModelSpec, family: Family): (name: string) => "copy" | "unused" | "beyond" | undefined {
  const prefix = `(?:${(family.prefixes ?? [""]).map((text) => text.replace(/\./g, "\\.")).join("|")})`;
  const regular = (text: string) => new RegExp(`^${prefix}(?:${text.replace("{beyond}", "(?<beyond>\\d+)")})$`);
  const copies = (family.copies ?? []).map(regular), unused = (family.unused ?? []).map(regular);
  return (name) => {
    if (copies.some((pattern) => pattern.test(name))) return "copy";
    for (const match of unused.map((pattern) => pattern.exec(name))) {
      if (match && match.groups?.beyond === undefined) return "unused";
      if (match && Number(match.groups!.beyond) >= spec.decoder.layers.length) return "beyond";
    }
    return undefined;
  };
}

function some(names: string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more are` : `${shown} ${names.length === 1 ? "is" : "are"}`;
}
