import { Descriptions } from "./bench.js";
import { type Described, type Infos, sizeOf, type Tally, type Work } from "./make/maker.js";
import { makerOf } from "./make/makers.js";
import { RecipeCache } from "./recipe-cache.js";
import type { Made, Matched, Part, Recipe, Same, WeightName } from "./recipe.js";

/** What making the weights of one recipe takes. */
export interface RecipeWork {
  names: WeightName[];
  work: Work;
}

/**
 * Goes through the steps of making weights in the given order, each once, without a number: what the makers say of
 * themselves. What is kept for later readers is counted as `Bench` keeps it.
 */
export function worksOf(weights: ReadonlyMap<WeightName, Made>, source: (recipe: Same) => Described): RecipeWork[] {
  const tally = new DryRun(weights.values(), source);
  const works: (RecipeWork & { of: Recipe })[] = [];
  for (const [name, made] of weights) {
    if (isUntouched(name, made)) continue;
    const last = works.at(-1);
    const before = last?.of === made.of ? last : undefined;
    const entry = before ?? { of: made.of, names: [], work: noWork() };
    if (!before) works.push(entry);
    entry.names.push(name);
    tally.into(entry.work, () => tally.free(tally.part(made.of, made.part)));
  }
  return works;
}

/** All together. */
export function totalOf(works: readonly RecipeWork[]): Work {
  const total = noWork();
  for (const { work } of works) {
    for (const key of ["numbers", "multiplies", "pairings"] as const) total[key] += work[key];
    total.assignments.push(...work.assignments);
    total.decompositions.push(...work.decompositions);
    total.peakBytes = Math.max(total.peakBytes, work.peakBytes);
  }
  return total;
}

/** Whether a weight is read from the model as it always was. */
export function isUntouched(name: WeightName, { of, part }: Made): boolean {
  return of.make === "same" && !of.tensors && !of.model && !of.forms?.[part] && of.names[part] === name;
}

function noWork(): Work {
  return { numbers: 0, multiplies: 0, assignments: [], decompositions: [], pairings: 0, peakBytes: 0 };
}

class DryRun implements Tally {
  private work = noWork();
  private held = 0;
  /** of these, what is kept for later readers */
  private kept = 0;
  /** what was read from a file last */
  private last = 0;
  private readonly orders = new WeakSet<Matched>();
  private readonly cache: RecipeCache<Map<Part, number>>;
  private readonly descriptions: Descriptions;

  constructor(weights: Iterable<Made>, readonly source: (recipe: Same) => Described) {
    this.cache = new RecipeCache(weights, (parts) => {
      this.free(sum(parts.values()));
      this.kept -= sum(parts.values());
    });
    this.descriptions = new Descriptions(source);
  }

  into(work: Work, run: () => void): void {
    this.work = work;
    run();
  }

  infos(recipe: Recipe): Infos {
    return this.descriptions.infos(recipe);
  }

  values(recipe: Recipe): number {
    return this.read(recipe);
  }

  part(recipe: Recipe, part: Part): number {
    return this.read(recipe, part);
  }

  hold(numbers: number): void {
    this.held += numbers;
    this.work.peakBytes = Math.max(this.work.peakBytes, 4 * this.held);
  }

  free(numbers: number): void {
    this.held -= numbers;
  }

  pass(numbers: number): void {
    this.hold(numbers);
    this.free(numbers);
  }

  land(numbers: number, beside: boolean): void {
    this.pass(numbers + (beside ? this.last : 0));
    this.last = numbers;
  }

  landed(): number {
    return this.last;
  }

  add({ numbers = 0, multiplies = 0, pairings = 0, assignments = [], decompositions = [] }: Partial<Work>): void {
    this.work.numbers += numbers;
    this.work.multiplies += multiplies;
    this.work.pairings += pairings;
    this.work.assignments.push(...assignments);
    this.work.decompositions.push(...decompositions);
  }

  ordered(recipe: Matched): boolean {
    const known = this.orders.has(recipe);
    this.orders.add(recipe);
    return known;
  }

  /** @returns what the reader holds alone */
  private read(recipe: Recipe, part?: Part): number {
    const make = (only?: Part) => {
      const before = this.held - this.kept;
      makerOf(recipe).work(recipe, this, only);
      return this.held - this.kept - before;
    };
    if (!this.cache.shared(recipe)) {
      const made = make(part);
      const own = part === undefined ? made : sizeOf(this.infos(recipe).get(part)!.shape);
      this.free(made - own);
      return own;
    }
    const kept = this.cache.get(recipe, () => {
      this.kept += make();
      return new Map([...this.infos(recipe)].map(([part, { shape }]) => [part, sizeOf(shape)]));
    });
    const own = [...this.cache.read(recipe, kept, part === undefined ? kept.keys() : [part], part === undefined)];
    const size = sum(own.map((part) => kept.get(part)!));
    for (const part of own) kept.delete(part);
    this.kept -= size;
    return size;
  }
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}
