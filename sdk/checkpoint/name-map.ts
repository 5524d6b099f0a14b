import { MoeError } from "../errors.js";
import { type ExpectedTensor } from "../model/expected-tensor.js";
import { expectedTensors } from "../model/expected-tensors.js";
import { formSuffixes } from "../model/form/forms.js";
import type { ModelSpec } from "../model/spec.js";
import { otherExpertLayouts } from "./expert-layouts.js";
import type { Family } from "./family.js";
import { type Layout, type Place, placeOf } from "./place.js";

/**
 * The layouts a canonical weight may have on disk, best first. Layer and expert numbers are carried over; what
 * stands in the place of a matrix follows its name; each name is also tried behind the family's other
 * prefixes.
 */
export function diskLayouts(canonical: string, family: Family): Layout[] {
  const numbered = numbersOf(canonical);
  return layoutsOf(numbered.pattern, family).map((layout) => ({ ...layout, name: nameOf(layout, numbered) }));
}

/** A canonical name with {l} and {e} for its numbers, and the numbers. */
interface Numbered {
  pattern: string;
  layer: string;
  expert: string;
}

/** @example numbersOf("layers.3.experts.5.up")  // { pattern: "layers.{l}.experts.{e}.up", layer: "3", expert: "5" } */
function numbersOf(canonical: string): Numbered {
  const start = canonical.indexOf("layers.") + "layers.".length;
  if (start < "layers.".length) return { pattern: canonical, layer: "", expert: "" };
  const end = canonical.indexOf(".", start), from = end + ".experts.".length;
  const [head, layer] = [canonical.slice(0, start), canonical.slice(start, end)];
  if (!canonical.startsWith(".experts.", end))
    return { pattern: `${head}{l}${canonical.slice(end)}`, layer, expert: "" };
  const to = canonical.indexOf(".", from);
  return { pattern: `${head}{l}.experts.{e}${canonical.slice(to)}`, layer, expert: canonical.slice(from, to) };
}

/** Whether a family keeps a weight in float32 although the checkpoint is written in a half format. */
export function staysFloat32(canonical: string, { float32 }: Family, dtype: string): boolean {
  const { pattern } = numbersOf(canonical);
  return Boolean(float32?.always?.includes(pattern) || (dtype === "F16" && float32?.F16?.includes(pattern)));
}

function nameOf({ name }: Layout, { layer, expert }: Numbered): string {
  return name.replace("{l}", layer).replace("{e}", expert);
}

/** Weights that changed models have and that no family needs to name: of constant experts, of routers. */
const OWN = /\.experts\.\{e\}\.(value|blend)$|\.router\.(mix|hidden|carry|temperature)$/;

const layoutsByFamily = new WeakMap<Family, Map<string, Layout[]>>();

/** The layouts of all weights whose names differ by numbers alone, with {l} and {e} in their names. */
function layoutsOf(pattern: string, family: Family): Layout[] {
  let known = layoutsByFamily.get(family);
  if (!known) layoutsByFamily.set(family, known = new Map<string, Layout[]>());
  let layouts = known.get(pattern);
  if (!layouts) known.set(pattern, layouts = makeLayouts(pattern, family));
  return layouts;
}

/** What of a form is a matrix like its own, and lies on disk as that one would. */
const MATRICES = new Set(["", ".u", ".v", ".s"]);

/** What follows the name of a matrix in that of a tensor of its form; "" of a weight that is itself. */
function factorOf(pattern: string, { names }: Family): string {
  if (pattern in names || pattern.endsWith(".bias")) return "";
  return formSuffixes.find((suffix) => pattern.endsWith(suffix)) ?? "";
}

function makeLayouts(pattern: string, family: Family): Layout[] {
  const factor = factorOf(pattern, family);
  const whole = pattern.slice(0, pattern.length - factor.length);
  if (family.storesSpec) return [{ name: pattern }];
  if (OWN.test(pattern) && !(pattern in family.names)) return [{ name: `moelab.${pattern}` }];
  const found = family.names[whole] ?? biasOf(whole, family);
  const named = (found === undefined ? [] : [found].flat()).map(
    (entry): Layout => (typeof entry === "string" ? { name: entry } : entry)
  );
  const gated = whole.replace(/\.(up|down)(\.bias)?$/, ".gate") in family.names;
  const layouts = factor ? named : [...named, ...otherExpertLayouts(whole, named, gated)];
  // the factors of experts that a family stores together have sizes of their own: each is a tensor of its own
  const apart = factor ? `.{e}${whole.slice(whole.lastIndexOf("."))}${factor}` : "";
  return layouts.flatMap((layout) =>
    behindPrefixes(layout.name, family).map((name) => {
      if (factor && layout.expert) return { name: name + apart };
      return MATRICES.has(factor) ? { ...layout, name: name + factor } : { name: name + factor };
    })
  );
}

/** A name as it is and, where it begins with the first of a family's prefixes, with each of the others in its place. */
function behindPrefixes(name: string, { prefixes = [""] }: Family): string[] {
  const [own, ...others] = prefixes;
  return name.startsWith(own) ? [name, ...others.map((other) => other + name.slice(own.length))] : [name];
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
  const beside = (entry: string | Layout):
    | string
    | Layout => (typeof entry === "string"
      ? entry.replace(/\.weight$/, ".bias")
      : { ...entry, squeeze: undefined, name: entry.name.replace(/\.weight$/, ".bias") });
  return matrix === undefined ? undefined : [matrix].flat().map(beside);
}

/** The tensors of a checkpoint, as far as their names and shapes go. */
interface Disk {
  names(): Iterable<string>;
  has(name: string): boolean;
  own?(name: string): string;
  info(name: string): { shape: number[]; format?: unknown };
}

/**
 * Finds every weight of a spec on disk and accounts for every tensor of the disk.
 * @returns canonical name -> place on disk
 * @throws MoeError `missing-tensors`, `unknown-tensors`, `shape-mismatch`, each naming what it is about
 */
export function mapNames(spec: ModelSpec, family: Family, disk: Disk): Map<string, Place> {
  const places = new Map<string, Place>();
  const missing: string[] = [];
  const asked = new Set<string>();
  const placed = placer(spec);
  const find = finder(family, disk);
  for (const tensor of expectedTensors(spec)) {
    const layouts = find(tensor.name);
    if (typeof layouts === "string") {
      missing.push(`${tensor.name} (${layouts})`);
      continue;
    }
    const seen = disk.info(layouts[0].name).shape;
    const forms = layouts.map((layout) => placed(tensor, layout));
    const place = forms.find(({ diskShape }) => isSame(seen, diskShape)) ?? forms[0];
    if (!isSame(seen, place.diskShape)) {
      throw new MoeError("shape-mismatch",
        `load: ${place.name} has shape [${seen}], config.json says [${place.diskShape}] (${tensor.name}); `
          + "the checkpoint and its config disagree. Check that both come from the same revision.");
    }
    asked.add(place.name);
    places.set(tensor.name, place);
  }
  const explained = explainer(spec, family);
  const unknown: string[] = [];
  for (const name of disk.names()) if (!asked.has(name) && !explained(name)) unknown.push(name);
  if (missing.length)
    throw new MoeError("missing-tensors",
      `load: ${some(missing)} missing; family "${family.family}" needs ${places.size + missing.length} `
        + `tensors${unknown.length ? `; ${some(unknown)} in the checkpoint and unknown to it` : ""}. Check model_type, `
        + "and that all shards are there.");
  if (unknown.length)
    throw new MoeError("unknown-tensors",
      `load: ${some(unknown)} in the checkpoint but unknown to family "${family.family}"; accepted are its `
        + `${asked.size} tensors. Check model_type, or name them under "copies" if they hold nothing of their `
        + `own, under "unused" if the model does not run them.`);
  return places;
}

/**
 * Finds the layouts of a weight under the first name that the disk has, or gives the name that it should have. Weights
 * whose names differ by numbers alone most often have one.
 */
function finder(family: Family, disk: Disk): (canonical: string) => Layout[] | string {
  const known = new Map<string, { layouts: Layout[]; last: number }>();
  return (canonical) => {
    const numbered = numbersOf(canonical);
    let kind = known.get(numbered.pattern);
    if (!kind) known.set(numbered.pattern, kind = { layouts: layoutsOf(numbered.pattern, family), last: 0 });
    const { layouts } = kind;
    for (const at of [kind.last, ...layouts.keys()]) {
      const name = layouts[at] && nameOf(layouts[at], numbered);
      if (name === undefined || !disk.has(name)) continue;
      kind.last = at;
      const own = disk.own?.(name) ?? name;
      // packers hold every matrix as a linear layer has it, where GPT-2's own are [in, out]
      const { shape, format } = disk.info(own);
      const turned = format && shape.length === 2 ? { transpose: false } : {};
      return layouts.filter(({ name }) => name === layouts[at].name).map((layout) => ({ ...layout, ...turned,
        name: own })
      );
    }
    return layouts[0] ? nameOf(layouts[0], numbered) : "no name in the family file";
  };
}

export function isSame(shape: readonly number[], other: readonly number[]): boolean {
  return shape.length === other.length && shape.every((length, axis) => length === other[axis]);
}

/** Resolves layouts with what a weight is stacked with: its neighbours by name, and the experts of its layer. */
export function placer(spec: ModelSpec): (tensor: ExpectedTensor, layout: Layout) => Place {
  let neighbours: ReturnType<typeof neighboursOf> | undefined;
  return ({ name, shape }, layout) => {
    if (!layout.stack && !layout.expert) return placeOf(layout, "", shape, { "": shape[0] });
    neighbours ??= neighboursOf(spec);
    const { owner, part, layer, expert } = parts(name);
    return placeOf(layout, part, shape, neighbours.heights.get(owner) ?? {},
      expert === undefined ? undefined : { at: expert, of: neighbours.counts.get(layer) ?? 0 });
  };
}

/** Rows of the weights beside each other, and the number of experts of each layer. */
function neighboursOf(spec: ModelSpec): { heights: Map<string, Record<string, number>>; counts: Map<string, number> } {
  const heights = new Map<string, Record<string, number>>();
  const counts = new Map<string, number>();
  for (const { name, shape } of expectedTensors(spec)) {
    const { owner, part, layer, expert } = parts(name);
    const rows = heights.get(owner) ?? {};
    rows[part] = shape[0];
    heights.set(owner, rows);
    if (expert !== undefined) counts.set(layer, Math.max(counts.get(layer) ?? 0, expert + 1));
  }
  return { heights, counts };
}

/** "layers.3.experts.5.up.bias" -> owner "layers.3.experts.5 bias", part "up", layer "layers.3", expert 5 */
function parts(name: string): { owner: string; part: string; layer: string; expert?: number } {
  const bias = name.endsWith(".bias");
  const words = (bias ? name.slice(0, -".bias".length) : name).split(".");
  const part = words.pop() as string;
  const expert = name.match(/^(.*)\.experts\.(\d+)\./);
  return { owner: `${words.join(".")}${bias ? " bias" : ""}`, part, layer: expert?.[1] ?? "",
    expert: expert ? Number(expert[2]) : undefined };
}

/**
 * What a tensor that no weight asks for is: a "copy" that holds nothing of its own, "unused" by the model, part of a
 * layer
 * "beyond" the last (`{beyond}` in a family's pattern is its number), or unknown.
 */
export function explainer(spec: ModelSpec, family: Family): (name: string) => "copy" | "unused" | "beyond" | undefined {
  const { prefixes = [""] } = family;
  const regular = (text: string) => new RegExp(`^(?:${text.replace("{beyond}", "(?<beyond>\\d+)")})$`);
  const copies = (family.copies ?? []).map(regular), unused = (family.unused ?? []).map(regular);
  return (own) => {
    const names = [own,
      ...prefixes.filter((other) => own.startsWith(other)).map((other) => prefixes[0] + own.slice(other.length))];
    const matches = (pattern: RegExp) => names.map((name) => pattern.exec(name)).find((match) => match);
    if (copies.some(matches)) return "copy";
    for (const match of unused.map(matches)) {
      if (match && match.groups?.beyond === undefined) return "unused";
      if (match && Number(match.groups!.beyond) >= spec.decoder.layers.length) return "beyond";
    }
    return undefined;
  };
}

function some(names: string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5
    ? `${shown} and ${names.length - 5} more are`
    : `${shown} ${names.length === 1 ? "is" : "are"}`;
}
