import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import type { Bench as At, Described, Infos, Parts } from "./make/maker.js";
import { makerOf } from "./make/makers.js";
import { orderOf } from "./make/matched.js";
import { RecipeCache } from "./recipe-cache.js";
import type { Made, Matched, Part, Recipe, Same } from "./recipe.js";

/** How the parts of recipes are stored, found once for each. */
export class Descriptions {
  private readonly found = new WeakMap<Recipe, Infos>();

  constructor(readonly source: (recipe: Same) => Described) {}

  readonly infos = (recipe: Recipe): Infos => {
    let infos = this.found.get(recipe);
    if (!infos) this.found.set(recipe, infos = makerOf(recipe).infos(recipe, this.infos, this.source));
    return infos;
  };

  info({ of, part }: Made): TensorInfo {
    return this.infos(of).get(part)!;
  }
}

/** Makes what recipes say, and keeps what others will ask for. */
export class Bench implements At {
  private readonly cache: RecipeCache<Promise<Parts>>;
  /** orders are small, and take long to find */
  private readonly orders = new WeakMap<Matched, Promise<number[]>>();
  private readonly descriptions: Descriptions;

  /** @param weights all that will be asked for */
  constructor(weights: Iterable<Made>, readonly source: (recipe: Same) => WeightSource) {
    this.cache = new RecipeCache(weights);
    this.descriptions = new Descriptions(source);
  }

  infos(recipe: Recipe): Infos {
    return this.descriptions.infos(recipe);
  }

  /** Whether it is kept for others. */
  shared(recipe: Recipe): boolean {
    return this.cache.shared(recipe);
  }

  async values(recipe: Recipe): Promise<Parts> {
    const kept = this.kept(recipe);
    if (!kept) return this.make(recipe);
    const parts = await kept;
    if (parts.size < this.infos(recipe).size) return this.make(recipe); // some were handed out
    const all = new Map(parts);
    for (const part of this.cache.read(recipe, kept, all.keys(), true)) parts.delete(part);
    return all;
  }

  /** Numbers that the caller may change. */
  async part(recipe: Recipe, part: Part): Promise<Float32Array> {
    const kept = this.kept(recipe);
    if (!kept) return (await this.make(recipe, part)).get(part)!;
    const parts = await kept;
    const values = parts.get(part);
    if (!values) return (await this.make(recipe, part)).get(part)!; // handed out
    const last = this.cache.read(recipe, kept, [part], false).has(part);
    if (last) parts.delete(part);
    return last ? values : values.slice();
  }

  async order(recipe: Matched, parts?: Parts): Promise<readonly number[]> {
    let order = this.orders.get(recipe);
    if (!order) {
      order = (async () => orderOf(recipe, parts ?? (await this.values(recipe.of)), this))();
      this.orders.set(recipe, order);
      order.catch(() => this.orders.delete(recipe));
    }
    return order;
  }

  private make(recipe: Recipe, only?: Part): Promise<Parts> {
    return makerOf(recipe).values(recipe, this, only);
  }

  private kept(recipe: Recipe): Promise<Parts> | undefined {
    if (!this.shared(recipe)) return undefined;
    const kept = this.cache.get(recipe, () => this.make(recipe));
    kept.catch(() => this.cache.failed(recipe, kept));
    return kept;
  }
}
