import { expectedTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import type { Family } from "./family.js";
import { diskNames } from "./name-map.js";
import type { Range, TensorStore } from "./tensor-store.js";

/** Words that torch.compile, DistributedDataParallel, FSDP and activation checkpointing put into names. */
const WRAPPERS = /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;
/** The first that fits most often is right. */
const MAX_TRIES = 50;
const PARALLEL = /^(?:module\.)+/;

/**
 * Shows a checkpoint under the names that a family expects, where its own differ by what they begin with alone: a text
 * model cut from a multi-modal wrapper ("model.language_model.layers…"), one saved without its head ("layers…"), or
 * behind wrappers of PyTorch ("_orig_mod.model.layers…").
 *
 * @returns the store itself where its names need no change, or where no such change gives more of them
 */
export function underFamilyNames(
  store: TensorStore,
  spec: ModelSpec,
  family: Family,
): { store: TensorStore; notes: string[] } {
  const kinds = new Map(expectedTensors(spec).map(({ name }) => [name.replace(/\d+/g, "*"), name]));
  const asked = [...kinds.values()].map((name) => diskNames(name, family));
  const count = (has: (name: string) => boolean) =>
    asked.filter((names) => names.length === 0 || names.some(has)).length;
  let best = { found: count((name) => store.has(name)), names: new Map<string, string>() };
  const plain = [...store.names()].map((name) => ({ name, bare: name.replace(WRAPPERS, "").replace(PARALLEL, "") }));
  for (const rename of renamings(plain.map(({ bare }) => bare), asked)) {
    if (best.found === asked.length) break;
    const names = new Map(plain.map(({ name, bare }) => [rename(bare), name]));
    const found = names.size < plain.length ? 0 : count((name) => names.has(name));
    if (found > best.found) best = { found, names };
  }
  const [shown, own] = [...best.names].find(([shown, own]) => shown !== own) ?? [];
  if (shown === undefined) return { store, notes: [] };
  return { store: renamed(store, best.names),
    notes: [
      "load: the names of the checkpoint begin otherwise than those of "
      + `family "${family.family}": ${own} is read as ${shown}.`,
    ] };
}

/** Ways to put the family's beginning of names in place of the checkpoint's. */
function* renamings(names: readonly string[], asked: readonly string[][]): Iterable<(name: string) => string> {
  yield (name) => name;
  let tries = 0;
  const every = asked.flat();
  const tried = new Set<string>(), shared = sharedBeginning(names);
  for (const expected of every.filter((name) => !/\.\d+\./.test(name))) {
    // "model.embed_tokens.weight": where the disk has "….embed_tokens.weight"
    for (let at = 0; at >= 0; at = expected.indexOf(".", at) + 1 || -1) {
      const [root, tail] = [expected.slice(0, at), expected.slice(at)];
      if (!tail.includes(".")) break;
      for (const name of names) {
        if (name !== tail && !name.endsWith(`.${tail}`)) continue;
        const begins = name.slice(0, name.length - tail.length);
        if (begins === root || tried.has(`${begins} ${root}`)) continue;
        tried.add(`${begins} ${root}`);
        if (++tries > MAX_TRIES) return;
        yield renaming(begins, root, shared, every.filter((other) => !other.startsWith(root)));
      }
    }
  }
}

/** Whole words that all names begin with. */
function sharedBeginning([first = "", ...others]: readonly string[]): string {
  let end = first.lastIndexOf(".") + 1;
  for (const name of others)
    while (end > 0 && !name.startsWith(first.slice(0, end))) end = first.lastIndexOf(".", end - 2) + 1;
  return first.slice(0, end);
}

/**
 * @param shared what all names begin with: what does not belong to the text model loses that alone
 * @param outside what the family has beside that beginning: a head
 */
function renaming(begins: string, root: string, shared: string, outside: readonly string[]): (name: string) => string {
  const outer = root && begins.endsWith(root) ? begins.slice(0, -root.length) : shared;
  return (name) => {
    if (outside.includes(name)) return name;
    const inner = name.startsWith(begins) ? name.slice(begins.length) : undefined;
    if (inner !== undefined && outside.includes(inner)) return inner;
    if (inner !== undefined) return root + inner;
    return outer && name.startsWith(outer) ? name.slice(outer.length) : name;
  };
}

/** @param names name that is shown -> name in the store */
function renamed(store: TensorStore, names: ReadonlyMap<string, string>): TensorStore {
  const own = (name: string) => names.get(name) ?? name;
  return {
    metadata: store.metadata,
    readBytes: store.readBytes,
    names: () => names.keys(),
    has: (name) => names.has(name),
    info: (name) => store.info(own(name)),
    bytes: (name, range?: Range, into?: Uint8Array) => store.bytes(own(name), range, into),
    values: (name, rows?: Range) => store.values(own(name), rows),
    parts: (name) => store.parts?.(own(name)),
    close: () => store.close(),
  };
}
