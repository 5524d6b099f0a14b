import { isDeepStrictEqual } from "node:util";
import { type ModelSpec, moeLayers } from "../model/spec.js";
import { type Family, specFromConfig } from "./family.js";
import { notExportable } from "./plain-experts.js";

type Config = Record<string, unknown>;

/**
 * The configuration that says a plain model to any consumer: the number of experts and of choices are set under the
 * keys
 * that the family's file names (`save`). Whatever else a plan changed has no word in a configuration.
 *
 * @throws MoeError `not-exportable` when the family would read another model from it
 */
export async function plainConfig(config: Config, spec: ModelSpec, family: Family): Promise<Config> {
  const layers = moeLayers(spec).map(({ ffn }) => ffn);
  const said = structuredClone(config);
  set(said, family.save?.experts ?? [], layers.map(({ experts }) => experts));
  set(said, family.save?.topK ?? [], layers.map(({ router }) => router.topK));
  const read = await specFromConfig(said, family);
  // what shares a matrix is said by the tensors
  read.head.tied = spec.head.tied;
  if (read.encoder && spec.encoder) read.encoder.embedding.shared = spec.encoder.embedding.shared;
  if (isDeepStrictEqual(json(read), json(spec))) return said;
  const counts = [...new Set(layers.map(({ experts }) => experts))];
  if (counts.length > 1)
    throw notExportable(`the layers have ${counts.join(", ")} experts and config.json has one number for all`,
      "Prune the same number in every layer, or save with { layout: \"moelab\" }");
  throw notExportable(
    `the change at ${firstDifference(json(read), json(spec)) ?? "the top"} has no word in a `
      + `${family.family} configuration`,
    "Save with { layout: \"moelab\" }",
  );
}

/** Sets the keys that are there, each a dotted path; nothing is set where the number is already right. */
function set(config: Config, keys: readonly string[], values: number[]): void {
  for (const key of keys) {
    const path = key.split(".");
    const owner = path.slice(0, -1).reduce<Config | undefined>((object, part) => object?.[part] as Config | undefined,
      config);
    const last = path[path.length - 1];
    if (typeof owner?.[last] === "number") owner[last] = values[0];
    else if (Array.isArray(owner?.[last])) owner[last] = owner[last].map(() => values[0]);
  }
}

function json<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function firstDifference(left: unknown, right: unknown, path = ""): string | undefined {
  if (isDeepStrictEqual(left, right)) return undefined;
  if (typeof left !== "object" || typeof right !== "object" || !left || !right) return path;
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const found = firstDifference((left as Config)[key], (right as Config)[key], path ? `${path}.${key}` : key);
    if (found !== undefined) return found;
  }
  return path;
}
