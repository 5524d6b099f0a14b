import { MoeError } from "../errors.js";
import { expectedTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import type { Family } from "./family.js";

/**
 * The names a canonical weight may have on disk, best first. Layer and expert numbers are carried over;
 * the factors of a low-rank-sparse matrix follow the name of the matrix.
 *
 * @example diskNames("layers.3.experts.5.up", mixtral)  // ["model.layers.3.block_sparse_moe.experts.5.w3.weight"]
 */
export function diskNames(canonical: string, family: Family): string[] {
  const factor = canonical.match(/(?<=\.(?:gate|up|down))\.(?:u|v|s)$/)?.[0] ?? "";
  const whole = canonical.slice(0, canonical.length - factor.length);
  const layer = whole.match(/(?<=(?:^|\.)layers\.)\d+/)?.[0] ?? "";
  const expert = whole.match(/(?<=\.experts\.)\d+/)?.[0] ?? "";
  const pattern = whole.replace(/(^|\.)layers\.\d+/, "$1layers.{l}").replace(/\.experts\.\d+/, ".experts.{e}");
  const found = family.names[pattern] ?? biasOf(pattern, family);
  return (found === undefined ? [] : [found].flat()).map((name) => name.replace("{l}", layer).replace("{e}", expert) + factor);
}

/** A bias that a family file does not name lies beside its matrix. */
function biasOf(pattern: string, family: Family): string[] | undefined {
  if (!pattern.endsWith(".bias")) return undefined;
  const matrix = family.names[pattern.slice(0, -".bias".length)];
  return matrix === undefined ? undefined : [matrix].flat().map((name) => name.replace(/\.weight$/, ".bias"));
}

/**
 * Finds every weight of a spec on disk and accounts for every tensor of the disk.
 * @returns canonical name -> name on disk
 * @throws MoeError `missing-tensors`, `unknown-tensors`, `shape-mismatch`, each naming what it is about
 */
export function mapNames(spec: ModelSpec, family: Family, disk: { names(): Iterable<string>; has(name: string): boolean; info(name: string): { shape: number[] } }): Map<string, string> {
  const places = new Map<string, string>();
  const missing: string[] = [];
  for (const { name, shape } of expectedTensors(spec)) {
    const candidates = diskNames(name, family);
    const place = candidates.find((candidate) => disk.has(candidate));
    if (!place) {
      missing.push(`${name} (${candidates[0] ?? "no name in the family file"})`);
      continue;
    }
    const seen = disk.info(place).shape;
    if (seen.join() !== shape.join()) {
      throw new MoeError("shape-mismatch", `load: ${place} has shape [${seen}], config.json says [${shape}] (${name}); the checkpoint and its config disagree. Check that both come from the same revision.`);
    }
    places.set(name, place);
  }
  if (missing.length) throw new MoeError("missing-tensors", `load: ${some(missing)} missing; family "${family.family}" needs ${places.size + missing.length} tensors. Check that all shards are there.`);
  const asked = new Set(places.values());
  const copies = (family.copies ?? []).map((pattern) => new RegExp(`^(?:${pattern})$`));
  const unknown = [...disk.names()].filter((name) => !asked.has(name) && !copies.some((copy) => copy.test(name)));
  if (unknown.length) throw new MoeError("unknown-tensors", `load: ${some(unknown)} in the checkpoint but unknown to family "${family.family}"; accepted are its ${asked.size} tensors. Check model_type, or name them under "copies" if they hold nothing of their own.`);
  return places;
}

function some(names: string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more are` : `${shown} ${names.length === 1 ? "is" : "are"}`;
}
