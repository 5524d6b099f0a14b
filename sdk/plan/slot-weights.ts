import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { type ExpertMatrices, weightMatching } from "../match/weight-matching.js";
import { zipByWeights } from "../match/zip-by-weights.js";
import { expertTensors } from "../model/expected-tensors.js";
import { cutRows, readRemainder } from "../model/form/low-rank-sparse.js";
import type { SpecAndWeights } from "../model/spec-and-weights.js";
import type { ExpertSpec, LayerId, MoeFfnSpec } from "../model/spec.js";
import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import type { Dtype } from "../tensor/formats/dtype.js";
import { decode, encode } from "../tensor/formats/index.js";
import { tf } from "../tensor/index.js";
import { factorise, type Factors, largestRows } from "../tensor/linalg/factorise.js";
import type { RecipeForm, SlotRecipe } from "./plan.js";
import { firstSlot, referenceSlot } from "./reference-slot.js";

/** One tensor of a slot that a recipe makes. */
export interface SlotTensor {
  info: TensorInfo;
  /** name of the original tensor that it equals, so that nothing has to be made */
  same?: string;
  values(): Promise<Float32Array>;
  /** the same as it is stored */
  bytes?(): Promise<Uint8Array>;
}

/** Neurons lie along the rows of up, gate and their biases, along the columns of down; the bias of down has none. */
const neuronAxis: Record<string, number | undefined> = { up: 0, gate: 0, "up.bias": 0, "gate.bias": 0, down: 1,
  "down.bias": undefined };

/** added to the sum of elementwise weights, as the reference code does, so that a parameter nobody weighs becomes 0 */
const EPSILON = 1e-7;

/** what a low-rank-sparse matrix is stored as: the rows of S that stay, and which they are */
type Factored = Factors & { "s.rows": Float32Array };

/** up, gate, down and their biases of one expert, by suffix. */
type Parts = Map<string, Tensor>;

/**
 * Makes the tensors of merged experts: aligned, weighted sums. All tensors of a slot are made together, from one
 * reading
 * of each source, and those that were not asked for yet are kept; so are the expert that a layer aligns to, and
 * permutations.
 */
export class SlotWeights {
  private lastFactors?: { key: object; factors: Promise<Factored> };
  private lastSlot?: { recipe: SlotRecipe; values: Promise<Map<string, Float32Array>> };
  private lastReference?: { key: string; values: Promise<Map<string, Float32Array>> };
  private readonly permutations = new Map<string, number[]>();

  constructor(private readonly model: SpecAndWeights, private readonly extra: Record<string, WeightSource>) {}

  /** The tensors of one slot by suffix ("up", "down.bias", "up.u", …). @param planned how the slot is stored */
  tensors(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe, planned: ExpertSpec): Record<string, SlotTensor> {
    const first = ffn.expertOf[recipe.from[0].expert];
    const alone = recipe.from.length === 1 && recipe.from[0].weight === 1 && !recipe.elementwise && !recipe.zip;
    const unmoved = alone
      && (!recipe.align
        || (referenceSlot(ffn, recipe.align, recipe.from) === first && ffn.slots[first].form === "dense"));
    const prefix = `${layer}.experts.${first}.`;
    const reform = recipe.form?.form === "low-rank-sparse"
      || (recipe.form !== undefined && ffn.slots[first].form !== "dense");
    if (unmoved && !reform) return this.same(layer, ffn, first, needsMatching(recipe) && recipe.align!.to === "first");

    const made: Record<string, SlotTensor> = {};
    for (const suffix of Object.keys(neuronAxis)) {
      const stored = this.stored(`${prefix}${suffix}`);
      if (!stored) continue;
      const sum = () => this.sum(layer, ffn, recipe, suffix);
      if (recipe.form?.form !== "low-rank-sparse" || stored.shape.length === 1)
        made[suffix] = { info: storedInfo(stored), values: async () => asStored(await sum(), stored), bytes: async () =>
          encode(await sum(), storedInfo(stored).dtype) };
      else Object.assign(made,
          this.factored(suffix, stored, recipe.form, planned.form === "low-rank-sparse" ? planned.rows[suffix] : 0,
            sum));
    }
    return made;
  }

  /** @param aligned others are brought into the order of this one, so that it is read for them as well */
  private same(layer: LayerId, ffn: MoeFfnSpec, slot: number, aligned: boolean): Record<string, SlotTensor> {
    const expected = expertTensors("", ffn.slots[slot], ffn, this.model.spec.width).map(({ name }) => name.slice(1));
    return Object.fromEntries(expected.map((suffix) => {
      const name = `${layer}.experts.${slot}.${suffix}`;
      const info = this.model.weights.info(name);
      return [suffix,
        aligned
          ? { info, values: async () => (await this.reference(layer, slot)).get(suffix)!.slice() }
          : { info, same: name, values: () => this.model.weights.values(name) }];
    }));
  }

  /**
   * The factors of a matrix. They are computed together, and those of the last matrix are kept: readers take them in
   * turn.
   */
  private factored(
    suffix: string,
    stored: TensorInfo,
    form: RecipeForm & { form: "low-rank-sparse" },
    kept: number,
    dense: () => Promise<Float32Array>,
  ): Record<string, SlotTensor> {
    const [out, width] = stored.shape;
    const compute = async (): Promise<Factored> => {
      const { u, v, s } = factorise(await dense(), [out, width], form.rank);
      const rows = form.rows?.[suffix] ? [...form.rows[suffix]].sort((a, b) => a - b) : largestRows(s, width, kept);
      return { u, v, s: cutRows(s, width, rows), "s.rows": Float32Array.from(rows) };
    };
    const key = {};
    const factors = () => {
      if (this.lastFactors?.key !== key) this.lastFactors = { key, factors: compute() };
      return this.lastFactors.factors;
    };
    const part = (name: keyof Factored, shape: number[]): Record<string, SlotTensor> => {
      const info = name === "s.rows"
        ? { dtype: "I32" as const, shape, sizeBytes: 4 * kept }
        : storedInfo({ ...stored, shape, sizeBytes: (stored.sizeBytes / (out * width)) * shape[0] * shape[1] });
      return {
        [`${suffix}.${name}`]: { info,
          values:
            async () => (name === "s.rows" ? (await factors())[name] : asStored((await factors())[name], stored)) },
      };
    };
    return { ...part("u", [out, form.rank]), ...part("v", [form.rank, width]),
      ...(kept > 0 && part("s", [kept, width])), ...(kept > 0 && kept < out && part("s.rows", [kept])) };
  }

  /** a matrix or bias as one tensor, whatever the form that it is stored in */
  private stored(name: string): TensorInfo | undefined {
    const { weights } = this.model;
    if (weights.has(name)) return weights.info(name);
    if (!weights.has(`${name}.u`)) return undefined;
    const [u, v] = [weights.info(`${name}.u`), weights.info(`${name}.v`)];
    const [out, rank] = u.shape;
    return { dtype: u.dtype, shape: [out, v.shape[1]], sizeBytes: (u.sizeBytes / rank) * v.shape[1] };
  }

  private async dense(name: string): Promise<Tensor> {
    const source = this.model.weights;
    if (source.has(name)) return source.read(name);
    const { shape } = this.stored(name)!;
    const [u, v, s] = [await source.read(`${name}.u`), await source.read(`${name}.v`),
      tf.tensor(await readRemainder(source, `${name}.s`, shape), shape)];
    return disposing([u, v, s], () => tf.add(tf.matMul(u as Tensor2D, v as Tensor2D), s));
  }

  private async values(name: string): Promise<Float32Array> {
    return this.model.weights.has(name) ? this.model.weights.values(name) : takeValues(await this.dense(name));
  }

  /** One tensor of a slot; each is handed out once, after that the slot is made anew. */
  private async sum(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe, suffix: string): Promise<Float32Array> {
    for (;;) {
      const last = this.lastSlot?.recipe === recipe
        ? this.lastSlot
        : (this.lastSlot = { recipe,
          values: recipe.zip ? this.zipped(layer, ffn, recipe) : this.slot(layer, ffn, recipe) });
      const forget = () => {
        if (this.lastSlot === last) this.lastSlot = undefined;
      };
      const made = await last.values.catch((error) => {
        forget();
        throw error;
      });
      const found = made.get(suffix);
      made.delete(suffix);
      if (!found || made.size === 0) forget();
      if (found) return found;
    }
  }

  /** sum_i w_i P_i W_i, or with elementwise weights f_i: sum_i w_i P_i (f_i W_i) / (sum_i w_i P_i f_i + 1e-7) */
  private async slot(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe): Promise<Map<string, Float32Array>> {
    const factors = recipe.elementwise ? this.extra[recipe.elementwise] : undefined;
    const totals: Parts = new Map(), divisors: Parts = new Map();
    const read = (at: number) => this.parts(layer, ffn, recipe, ffn.expertOf[recipe.from[at].expert]);
    let leader: Parts | undefined, next: Promise<Parts> | undefined;
    try {
      for (const [at, { expert, weight }] of recipe.from.entries()) {
        const slot = ffn.expertOf[expert];
        const parts = await (next ?? read(at));
        // the next source is read while this one is computed with
        next = at + 1 < recipe.from.length ? read(at + 1) : undefined;
        next?.catch(() => undefined); // told when it is awaited
        try {
          const order = await this.order(layer, ffn, recipe, expert, parts, leader);
          for (const [suffix, source] of parts) {
            const factor = await factors?.read(`${layer}.experts.${slot}.${suffix}`);
            const weighed = factor ? tf.mul(source, factor) : tf.clone(source);
            totals.set(suffix, added(totals.get(suffix), weighed, weight, order, neuronAxis[suffix]));
            if (factor) divisors.set(suffix, added(divisors.get(suffix), factor, weight, order, neuronAxis[suffix]));
          }
          if (needsMatching(recipe) && recipe.align!.to === "leader") leader ??= parts;
        } finally {
          if (parts !== leader) tf.dispose([...parts.values()]);
        }
      }
      const values = new Map<string, Float32Array>();
      for (const [suffix, total] of totals) {
        const divisor = divisors.get(suffix);
        values.set(suffix, await takeValues(divisor
          ? tf.tidy(() => tf.div(total, tf.add(divisor, EPSILON)))
          : tf.clone(total)));
      }
      return values;
    } finally {
      await next?.then((parts) => tf.dispose([...parts.values()]), () => undefined);
      tf.dispose([...totals.values(), ...divisors.values(), ...(leader?.values() ?? [])]);
    }
  }

  /** A stored expert with dense matrices; that which the layer aligns to is read once. */
  private async parts(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe, slot: number): Promise<Parts> {
    if (!needsMatching(recipe) || recipe.align!.to !== "first" || slot !== firstSlot(ffn))
      return this.readParts(layer, slot);
    return new Map(
      [...(await this.reference(layer, slot))].map(
        ([suffix, values]) => [suffix,
          tf.tensor(values, this.stored(`${layer}.experts.${slot}.${suffix}`)!.shape, "float32")]
      ),
    );
  }

  /** The expert that a layer aligns to, read once for all of them. */
  private reference(layer: LayerId, slot: number): Promise<Map<string, Float32Array>> {
    const key = `${layer} ${slot}`;
    if (this.lastReference?.key !== key) {
      const values = this.readParts(layer, slot).then(async (parts) =>
        new Map(
          await Promise.all([...parts].map(async ([suffix, tensor]) => [suffix, await takeValues(tensor)] as const)),
        )
      );
      this.lastReference = { key, values };
      values.catch(() => (this.lastReference = undefined));
    }
    return this.lastReference.values;
  }

  private async readParts(layer: LayerId, slot: number): Promise<Parts> {
    const prefix = `${layer}.experts.${slot}.`;
    const suffixes = Object.keys(neuronAxis).filter((suffix) => this.stored(`${prefix}${suffix}`));
    const read = await Promise.allSettled(suffixes.map((suffix) => this.dense(`${prefix}${suffix}`)));
    const failed = read.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
    if (!failed)
      return new Map(suffixes.map((suffix, at) => [suffix, (read[at] as PromiseFulfilledResult<Tensor>).value]));
    for (const one of read) if (one.status === "fulfilled") one.value.dispose();
    throw failed.reason;
  }

  /**
   * sum_e A_e W_e for what comes in, sum_e W_e B_e for what goes out: the neurons of each source in their places,
   * weighed as the recipe says
   */
  private async zipped(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe): Promise<Map<string, Float32Array>> {
    const zip = recipe.zip === "weights" ? await this.placesByWeights(layer, ffn, recipe) : recipe.zip!;
    const F = zip[recipe.from[0].expert].length;
    const byMean = recipe.zipBy === "mean" || recipe.zip === "weights";
    const used = byMean && recipe.from.some(({ weight }) => weight > 0);
    const massOf = (weight: number) => (used ? weight : 1);
    const mass = new Float64Array(F), size = new Float64Array(F);
    for (const { expert, weight } of recipe.from)
      for (const place of zip[expert]) {
        mass[place] += massOf(weight);
        size[place] += 1;
      }
    // a place whose neurons all weigh nothing is their plain mean; by weights it becomes zero where neurons were
    // merged, as in the released code
    const unweighed = (place: number) => (recipe.zip === "weights" && size[place] > 1 ? 0 : 1 / size[place]);
    const share = (
      place: number,
      weight: number,
    ) => (mass[place] > 0 ? massOf(weight) / mass[place] : unweighed(place));
    const totalMass = recipe.from.reduce((sum, { weight }) => sum + massOf(weight), 0);
    const totals = new Map<string, Float32Array>();
    // a function of its own, so that nothing of a matrix is left while the next is read
    const add = async (name: string, suffix: string, places: number[], shares: number[]) => {
      const values = await this.values(name);
      if (!totals.has(suffix)) totals.set(suffix, new Float32Array(values.length));
      addPlaced(totals.get(suffix)!, values, places, shares, neuronAxis[suffix]);
    };
    for (const { expert, weight } of recipe.from) {
      const places = zip[expert];
      const prefix = `${layer}.experts.${ffn.expertOf[expert]}.`;
      for (const [suffix, axis] of Object.entries(neuronAxis)) {
        if (!this.stored(`${prefix}${suffix}`)) continue;
        const shares = axis === undefined
          ? [massOf(weight) / totalMass]
          : places.map((place) => (axis === 0 || byMean ? share(place, weight) : 1 / recipe.from.length));
        await add(`${prefix}${suffix}`, suffix, places, shares);
      }
    }
    return totals;
  }

  /** Places of the neurons of a slot's sources by the products of their weights. */
  private async placesByWeights(
    layer: LayerId,
    ffn: MoeFfnSpec,
    recipe: SlotRecipe,
  ): Promise<Record<number, number[]>> {
    const neurons: Float32Array[] = [];
    const weights: number[] = [];
    let F = 0;
    // places are numbered by first appearance, whoever leads
    const sources = [...recipe.from].sort((a, b) => a.expert - b.expert);
    for (const { expert, weight } of sources) {
      const parts = await this.readParts(layer, ffn.expertOf[expert]);
      const rows = tf.tidy(() =>
        tf.concat(
          [parts.get("up")!, ...(parts.has("gate") ? [parts.get("gate")!] : []),
            tf.transpose(parts.get("down")!)] as Tensor2D[],
          1,
        )
      );
      tf.dispose([...parts.values()]);
      const width = rows.shape[1];
      F = rows.shape[0];
      const values = await takeValues(rows);
      for (let f = 0; f < F; f++) neurons.push(values.subarray(f * width, (f + 1) * width));
      weights.push(...new Array<number>(F).fill(weight));
    }
    const found = zipByWeights(neurons, weights, F);
    return Object.fromEntries(sources.map(({ expert }, index) => [expert, found.slice(index * F, (index + 1) * F)]));
  }

  /** Which neuron of a source takes each place; absent: they are in order. */
  private async order(
    layer: LayerId,
    ffn: MoeFfnSpec,
    recipe: SlotRecipe,
    expert: number,
    parts: Parts,
    leader?: Parts,
  ): Promise<number[] | undefined> {
    if (!recipe.align) return undefined;
    if (recipe.align.permutations) return recipe.align.permutations[expert];
    const [reference, target] = [referenceSlot(ffn, recipe.align, recipe.from), ffn.expertOf[expert]];
    if (reference === target) return undefined;
    const key = `${layer} ${reference} ${target}`;
    let order = this.permutations.get(key);
    if (!order) {
      const fixed = leader ?? (await this.parts(layer, ffn, recipe, reference));
      order = await weightMatching(matricesOf(fixed), matricesOf(parts));
      if (fixed !== leader) tf.dispose([...fixed.values()]);
      this.permutations.set(key, order);
    }
    return order;
  }
}

function matricesOf(parts: Parts): ExpertMatrices {
  return { up: parts.get("up") as Tensor2D, gate: parts.get("gate") as Tensor2D | undefined,
    down: parts.get("down") as Tensor2D };
}

/** Whether apply has to find the order of neurons itself. */
function needsMatching({ align }: SlotRecipe): boolean {
  return align !== undefined && !align.permutations;
}

/** total + weight * source with its neurons in a new order; takes both */
function added(
  total: Tensor | undefined,
  source: Tensor,
  weight: number,
  order: number[] | undefined,
  axis: number | undefined,
): Tensor {
  return disposing([source, ...(total ? [total] : [])], () => {
    const placed = order && axis !== undefined ? tf.gather(source, tf.tensor1d(order, "int32"), axis) : source;
    const weighted = tf.mul(placed, weight);
    return total ? tf.add(total, weighted) : weighted;
  });
}

function disposing(inputs: Tensor[], compute: () => Tensor): Tensor {
  const result = tf.tidy(compute);
  tf.dispose(inputs);
  return result;
}

/** Adds the neurons of a source in their places, each by its share; what has none, by the one share there is. */
function addPlaced(
  total: Float32Array,
  values: Float32Array,
  places: number[],
  shares: number[],
  axis: number | undefined,
): void {
  const F = places.length;
  const width = values.length / F;
  if (axis === undefined) addTimes(total, 0, values, 0, values.length, shares[0]);
  else if (axis === 0) {
    for (let neuron = 0; neuron < F; neuron++)
      addTimes(total, places[neuron] * width, values, neuron * width, width, shares[neuron]);
  } else for (let row = 0; row < values.length; row += F)
      for (let neuron = 0; neuron < F; neuron++) total[row + places[neuron]] += shares[neuron] * values[row + neuron];
}

/** to[i] += factor * from[i], for `count` numbers from either place on */
function addTimes(
  to: Float32Array,
  toStart: number,
  from: Float32Array,
  fromStart: number,
  count: number,
  factor: number,
): void {
  for (let i = 0; i < count; i++) to[toStart + i] += factor * from[fromStart + i];
}

async function takeValues(tensor: Tensor): Promise<Float32Array> {
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return values;
}

/** Rounded to the format that it is stored in, so that a model computes the same before it is saved and after. */
function asStored(values: Float32Array, source: TensorInfo): Float32Array {
  const { dtype } = storedInfo(source);
  return dtype === "F16" || dtype === "BF16" ? decode(encode(values, dtype), dtype) : values;
}

/** A sum is stored in the number format of its sources; formats that only inference packers write become float32. */
function storedInfo(source: TensorInfo): TensorInfo {
  const plain: Dtype[] = ["F64", "F32", "F16", "BF16"];
  if (plain.includes(source.dtype)) return source;
  return { dtype: "F32", shape: source.shape, sizeBytes: 4 * source.shape.reduce((a, b) => a * b, 1) };
}
