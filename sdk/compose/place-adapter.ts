import type { Family } from "../checkpoint/family.js";
import { diskLayouts, isSame, placer } from "../checkpoint/name-map.js";
import { type Layout, ownRows, type Place, readBlock } from "../checkpoint/place.js";
import type { TensorStore } from "../checkpoint/tensor-store.js";
import { FormatError } from "../errors.js";
import type { ExpectedTensor } from "../model/expected-tensor.js";
import { expectedTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import { targeted } from "./adapter-config.js";
import { type Adapter, type AdapterModule, productOf } from "./adapter.js";

/** What an adapter does to one weight of a model. */
export interface Addition {
  /** scale B A of the weight's own rows, [out, in] */
  delta?(): Promise<Float32Array>;
  /** DoRA: lengths of the weight's rows */
  magnitude?: Float32Array;
  /** all numbers of the weight anew */
  whole?(): Promise<Float32Array>;
  /** rows of the weight anew */
  rows?: { at: number[]; values: Float32Array };
}

/**
 * Finds for each part of an adapter the weights that it changes, by the names that the family file gives them.
 *
 * @returns by canonical name
 * @throws FormatError `bad-adapter` where adapter and base do not fit, with the tensor that does not
 */
export function placeAdapter(adapter: Adapter, spec: ModelSpec, family: Family): Map<string, Addition> {
  const refuse = (seen: string, todo: string) =>
    new FormatError("bad-adapter", `adapt: ${seen}, adapter ${adapter.id}, family "${family.family}"; ${todo}`);
  const placed = placer(spec), found = new Map<string, Addition>(), used = new Set<string>();
  const parameters = parametersOf(adapter);
  /** which modules a kind of weight has: canonical pattern -> how its path is made */
  const kinds = new Map<string, number>();
  const tensors = expectedTensors(spec);
  for (const tensor of tensors) {
    for (const [at, layout] of diskLayouts(tensor.name, family).entries()) {
      const path = layout.name.replace(/\.weight$/, "");
      const given = adapter.modules.has(path) ? [path] : parameters.get(path) ?? [];
      const hit = given.map((key) => ({ key, ...fit(adapter.modules.get(key)!, tensor, layout) })).find(({ place }) =>
        place
      );
      if (hit?.place) {
        used.add(hit.key);
        kinds.set(kindOf(tensor.name), at);
        found.set(tensor.name, { ...found.get(tensor.name), ...additionOf(hit.module, hit.product, hit.place) });
        addBias(tensor, hit.module, hit.place);
      } else if (given.length === 1) {
        const { a, b } = adapter.modules.get(given[0])!;
        throw refuse(`${given[0]} is ${b.rows} x ${a.columns}, ${tensor.name} [${tensor.shape}] lies there in the base`,
          "accepted is an adapter of this base. Load the base that adapter_config.json names.");
      }
      replace(tensor, layout);
    }
  }
  const unused = [...adapter.modules.keys(), ...adapter.whole.keys(), ...adapter.rows.keys()].filter((name) =>
    !used.has(name)
  );
  if (unused.length > 0)
    throw refuse(
      `${unused.slice(0, 3).join(", ")}${unused.length > 3 ? ` and ${unused.length - 3} more` : ""} `
        + "of the adapter stands for no weight of the base",
      "accepted is an adapter of this base. Load the base that adapter_config.json names.",
    );
  if (spec.head.tied && [...found].some(([name, { rows }]) => name === "embed" && !rows))
    throw refuse("the embedding is changed, which this base shares with its head",
      "accepted is a base whose head is its own. Set tie_word_embeddings to false and save the head.");
  const paths = tensors.flatMap(({ name }) => {
    const layout = kinds.has(kindOf(name)) ? diskLayouts(name, family)[kinds.get(kindOf(name))!] : undefined;
    return layout ? [layout.name.replace(/\.weight$/, "")] : [];
  });
  const missing = targeted(adapter.config, [...new Set(paths)]).filter((path) => !adapter.modules.has(path));
  if (missing.length > 0)
    throw refuse(`target_modules says ${missing[0]} too, and the adapter has no tensors for it`,
      "accepted is an adapter with all that it targets. Save it again with peft.");
  return found;

  /** y = W x + scale (B A x + bias) */
  function addBias(tensor: ExpectedTensor, { bias, scale }: AdapterModule, place: Place): void {
    if (!bias) return;
    const name = `${tensor.name}.bias`;
    if (!tensors.some((other) => other.name === name))
      throw refuse(`${tensor.name} gets a bias (lora_bias), and this base has none there`,
        "accepted are biases where the base has one. peft cannot merge this adapter either: train it without.");
    const delta = ownOutputs(bias, place).map((value) => scale * value);
    found.set(name, { ...found.get(name), delta: async () => delta });
  }

  function replace(tensor: ExpectedTensor, layout: Layout): void {
    const whole = adapter.whole.get(layout.name), rows = adapter.rows.get(layout.name);
    if (!whole && !rows) return;
    const place = placed(tensor, layout);
    const width = tensor.shape[1];
    if (whole && isSame(whole.shape, place.diskShape)) {
      found.set(tensor.name, { ...found.get(tensor.name), whole: async () =>
        ownRows(await readBlock(storeOf(whole.values, place.diskShape), place), place) });
      used.add(layout.name);
    } else if (rows && !place.rows && rows.values.length === rows.at.length * width
      && rows.at.every((id) => id < tensor.shape[0])) {
      found.set(tensor.name, { ...found.get(tensor.name), rows });
      used.add(layout.name);
    } else throw refuse(`${layout.name} of the adapter does not fit ${tensor.name} [${tensor.shape}]`,
        "accepted is an adapter of this base. Load the base that adapter_config.json names.");
  }

  /** Where B A lies: modules are [out, in] however the base stores them, parameters are as the base has them. */
  function fit(module: AdapterModule, tensor: ExpectedTensor, layout: Layout) {
    const experts = module.a.rows / module.rank, inner = [module.b.rows, module.a.columns];
    const shape = experts === 1 ? inner : [experts, ...inner];
    const forms = [{ ...layout, transpose: false, squeeze: undefined }, layout].map((form) => placed(tensor, form));
    if (experts > 1) forms.reverse();
    return { module, place: forms.find(({ diskShape }) => isSame(diskShape, shape)),
      product: once(() => productOf(module)) };
  }
}

/** Modules that stand for parameters, such as all experts in one: those that fit are tried, the innermost first. */
function parametersOf({ config, modules }: Adapter): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const path of [...modules.keys()].sort((a, b) => b.length - a.length)) {
    const owner = path.replace(/(\.base_layer)+$/, "");
    for (const parameter of config.target_parameters) {
      const at = parameter.lastIndexOf("."),
        [parent, last] = [parameter.slice(0, Math.max(0, at)), parameter.slice(at + 1)];
      if (parent !== "" && owner !== parent && !owner.endsWith(`.${parent}`)) continue;
      const name = `${owner}.${last}`;
      found.set(name, [...(found.get(name) ?? []), path]);
    }
  }
  return found;
}

function additionOf(
  { scale, magnitude }: AdapterModule,
  product: () => { values: Float32Array },
  place: Place,
): Addition {
  return {
    async delta() {
      const block = await readBlock(storeOf(product().values, place.diskShape), place);
      return ownRows(block, place).map((value) => scale * value);
    },
    ...(magnitude && { magnitude: ownOutputs(magnitude, place) }),
  };
}

/** Of one number per output of a module those of a weight in it. */
function ownOutputs(all: Float32Array, place: Place): Float32Array {
  return ownRows(place.rows ? all.subarray(place.rows.start, place.rows.end) : all, { ...place,
    shape: [place.shape[0]] });
}

/** A tensor in memory as one on disk, so that the same code takes it apart. */
function storeOf(values: Float32Array, shape: readonly number[]): TensorStore {
  const width = shape.slice(1).reduce((product, n) => product * n, 1);
  const whole = {
    values: async (_: string, rows?: { start: number; end: number }) =>
      rows ? values.subarray(rows.start * width, rows.end * width) : values,
  };
  return whole as unknown as TensorStore;
}

const kindOf = (name: string) => name.replace(/\d+/g, "#");

/** The last product stays: weights that lie in one tensor are asked for one after the other. */
function once<T extends object>(make: () => T): () => T {
  let made: WeakRef<T> | undefined;
  return () => {
    const kept = made?.deref();
    if (kept) return kept;
    const fresh = make();
    made = new WeakRef(fresh);
    return fresh;
  };
}
