import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import type { Dtype, TensorInfo, WeightSource } from "../checkpoint/weight-source.js";
import { factorise, keepRows, type Factors } from "../compress/factorise.js";
import { expertTensors } from "../model/expected-tensors.js";
import type { LayerId, MoeFfnSpec } from "../model/spec.js";
import { weightMatching, type ExpertMatrices } from "../merge/weight-matching.js";
import { decode, encode } from "../tensor/formats/index.js";
import { tf } from "../tensor/index.js";
import type { SpecAndWeights } from "./apply.js";
import { keptRows } from "./kept-rows.js";
import type { RecipeForm, SlotRecipe } from "./plan.js";

/** One tensor of a slot that a recipe makes. */
export interface SlotTensor {
  info: TensorInfo;
  /** name of the original tensor that it equals, so that nothing has to be made */
  same?: string;
  read(): Promise<Tensor>;
}

/** Neurons lie along the rows of up, gate and their biases, along the columns of down; the bias of down has none. */
const neuronAxis: Record<string, number | undefined> = { up: 0, gate: 0, "up.bias": 0, "gate.bias": 0, down: 1, "down.bias": undefined };

/** added to the sum of elementwise weights, as the reference code does, so that a parameter nobody weighs becomes 0 */
const EPSILON = 1e-7;

/** Makes the tensors of merged experts: aligned, weighted sums. Permutations are found once and kept. */
export class SlotWeights {
  private lastFactors?: { key: object; factors: Promise<Factors> };
  private readonly permutations = new Map<string, Promise<number[] | undefined>>();

  constructor(private readonly model: SpecAndWeights, private readonly extra: Record<string, WeightSource>) {}

  /** The tensors of one slot by suffix ("up", "down.bias", "up.u", …). */
  tensors(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe): Record<string, SlotTensor> {
    const first = ffn.expertOf[recipe.from[0].expert];
    const alone = recipe.from.length === 1 && recipe.from[0].weight === 1 && !recipe.elementwise && !recipe.zip;
    const unmoved = alone && (!recipe.align || (this.reference(ffn, recipe) === first && ffn.slots[first].form === "dense"));
    const prefix = `${layer}.experts.${first}.`;
    const reform = recipe.form?.form === "low-rank-sparse" || (recipe.form !== undefined && ffn.slots[first].form !== "dense");
    if (unmoved && !reform) return this.same(prefix, ffn, first);

    const made: Record<string, SlotTensor> = {};
    for (const suffix of Object.keys(neuronAxis)) {
      const stored = this.stored(`${prefix}${suffix}`);
      if (!stored) continue;
      const sum = () => this.sum(layer, ffn, recipe, suffix);
      if (recipe.form?.form !== "low-rank-sparse" || stored.shape.length === 1) made[suffix] = { info: storedInfo(stored), read: () => asStored(sum(), stored) };
      else Object.assign(made, this.factored(suffix, stored, recipe.form, sum));
    }
    return made;
  }

  private same(prefix: string, ffn: MoeFfnSpec, slot: number): Record<string, SlotTensor> {
    const expected = expertTensors("", ffn.slots[slot], ffn, this.model.spec.width).map(({ name }) => name.slice(1));
    return Object.fromEntries(expected.map((suffix) => {
      const name = `${prefix}${suffix}`;
      return [suffix, { info: this.model.weights.info(name), same: name, read: () => this.model.weights.read(name) }];
    }));
  }

  /** The three factors of a matrix. They are computed together, and those of the last matrix are kept: readers take them in turn. */
  private factored(suffix: string, stored: TensorInfo, form: RecipeForm & { form: "low-rank-sparse" }, dense: () => Promise<Tensor>): Record<string, SlotTensor> {
    const [out, width] = stored.shape;
    const compute = async (): Promise<Factors> => {
      const tensor = await dense();
      const weight = (await tensor.data()) as Float32Array;
      tensor.dispose();
      const factors = factorise(weight, [out, width], form.rank);
      return { ...factors, s: keepRows(factors.s, width, form.rows?.[suffix] ?? keptRows(out, form.keep)) };
    };
    const key = {};
    const factors = () => {
      if (this.lastFactors?.key !== key) this.lastFactors = { key, factors: compute() };
      return this.lastFactors.factors;
    };
    const part = (name: keyof Factors, shape: [number, number]): SlotTensor => ({
      info: storedInfo({ ...stored, shape, sizeBytes: (stored.sizeBytes / (out * width)) * shape[0] * shape[1] }),
      read: async () => asStored(tf.tensor2d((await factors())[name], shape), stored),
    });
    return { [`${suffix}.u`]: part("u", [out, form.rank]), [`${suffix}.v`]: part("v", [form.rank, width]), [`${suffix}.s`]: part("s", [out, width]) };
  }

  /** a matrix or bias as one tensor, whatever the form that it is stored in */
  private stored(name: string): TensorInfo | undefined {
    const { weights } = this.model;
    if (weights.has(name)) return weights.info(name);
    return weights.has(`${name}.s`) ? weights.info(`${name}.s`) : undefined;
  }

  private async dense(name: string, source = this.model.weights): Promise<Tensor> {
    if (source.has(name)) return source.read(name);
    const [u, v, s] = [await source.read(`${name}.u`), await source.read(`${name}.v`), await source.read(`${name}.s`)];
    return disposing([u, v, s], () => tf.add(tf.matMul(u as Tensor2D, v as Tensor2D), s));
  }

  /** sum_i w_i P_i W_i, or with elementwise weights f_i: sum_i w_i P_i (f_i W_i) / (sum_i w_i P_i f_i + 1e-7) */
  private async sum(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe, suffix: string): Promise<Tensor> {
    if (recipe.zip) return this.zipped(layer, ffn, recipe, suffix);
    const factors = recipe.elementwise ? this.extra[recipe.elementwise] : undefined;
    let total: Tensor | undefined;
    let divisor: Tensor | undefined;
    for (const { expert, weight } of recipe.from) {
      const slot = ffn.expertOf[expert];
      const order = await this.permutation(layer, ffn, recipe, expert);
      const name = `${layer}.experts.${slot}.${suffix}`;
      const source = await this.dense(name);
      const factor = await factors?.read(name);
      total = added(total, factor ? disposing([source], () => tf.mul(source, factor)) : source, weight, order, neuronAxis[suffix]);
      if (factor) divisor = added(divisor, factor, weight, order, neuronAxis[suffix]);
    }
    if (!divisor) return total!;
    return disposing([total!, divisor], () => tf.div(total!, tf.add(divisor!, EPSILON)));
  }

  /** sum_e A_e W_e for what comes in, A averaging over a place; sum_e W_e B_e for what goes out, B adding up and dividing by the number of sources */
  private async zipped(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe, suffix: string): Promise<Tensor> {
    const axis = neuronAxis[suffix];
    const F = recipe.zip![recipe.from[0].expert].length;
    const size = new Float32Array(F);
    for (const { expert } of recipe.from) for (const place of recipe.zip![expert]) size[place] += 1;
    let total: Tensor | undefined;
    for (const { expert } of recipe.from) {
      const source = await this.dense(`${layer}.experts.${ffn.expertOf[expert]}.${suffix}`);
      const before = total;
      total = disposing(before ? [before, source] : [source], () => {
        const mixing = new Float32Array(F * F);
        recipe.zip![expert].forEach((place, neuron) => (mixing[place * F + neuron] = axis === 0 ? 1 / size[place] : 1 / recipe.from.length));
        const mix = tf.tensor2d(mixing, [F, F]);
        const part = axis === undefined ? tf.div(source, recipe.from.length)
          : axis === 1 ? tf.matMul(source as Tensor2D, mix, false, true)
          : tf.reshape(tf.matMul(mix, tf.reshape(source, [F, -1])), source.shape);
        return before ? tf.add(before, part) : part;
      });
    }
    return total!;
  }

  /** the stored slot whose neuron order is the common one */
  private reference(ffn: MoeFfnSpec, recipe: SlotRecipe): number {
    return recipe.align!.to === "leader" ? ffn.expertOf[recipe.from[0].expert] : firstSlot(ffn);
  }

  private permutation(layer: LayerId, ffn: MoeFfnSpec, recipe: SlotRecipe, expert: number): Promise<number[] | undefined> {
    if (!recipe.align) return Promise.resolve(undefined);
    if (recipe.align.permutations) return Promise.resolve(recipe.align.permutations[expert]);
    const [reference, target] = [this.reference(ffn, recipe), ffn.expertOf[expert]];
    const key = `${layer} ${reference} ${target}`;
    if (!this.permutations.has(key)) this.permutations.set(key, this.match(layer, reference, target));
    return this.permutations.get(key)!;
  }

  private async match(layer: LayerId, reference: number, target: number): Promise<number[] | undefined> {
    if (reference === target) return undefined;
    const [fixed, moved] = [await this.expert(layer, reference), await this.expert(layer, target)];
    const order = await weightMatching(fixed, moved);
    tf.dispose([fixed, moved] as never);
    return order;
  }

  private async expert(layer: LayerId, slot: number): Promise<ExpertMatrices> {
    const read = (matrix: string) => this.dense(`${layer}.experts.${slot}.${matrix}`) as Promise<Tensor2D>;
    const gated = this.stored(`${layer}.experts.${slot}.gate`) !== undefined;
    return { up: await read("up"), ...(gated && { gate: await read("gate") }), down: await read("down") };
  }
}

function firstSlot(ffn: MoeFfnSpec): number {
  return ffn.expertOf.find((slot) => slot >= 0)!;
}

/** total + weight * source with its neurons in a new order; takes both */
function added(total: Tensor | undefined, source: Tensor, weight: number, order: number[] | undefined, axis: number | undefined): Tensor {
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

/** Rounded to the format that it is stored in, so that a model computes the same before it is saved and after. */
async function asStored(made: Tensor | Promise<Tensor>, source: TensorInfo): Promise<Tensor> {
  const tensor = await made;
  const { dtype } = storedInfo(source);
  if (dtype !== "F16" && dtype !== "BF16") return tensor;
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return tf.tensor(decode(encode(values, dtype), dtype), tensor.shape, "float32");
}

/** A sum is stored in the number format of its sources; formats that only inference packers write become float32. */
function storedInfo(source: TensorInfo): TensorInfo {
  const plain: Dtype[] = ["F64", "F32", "F16", "BF16"];
  if (plain.includes(source.dtype)) return source;
  return { dtype: "F32", shape: source.shape, sizeBytes: 4 * source.shape.reduce((a, b) => a * b, 1) };
}
