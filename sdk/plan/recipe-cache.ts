import { inputs, type Made, type Part, type Recipe } from "./recipe.js";

/** How many read a recipe whole, and how many a part of it. */
interface Readers {
  whole: number;
  parts: Map<Part, number>;
}

interface Entry<V> {
  recipe: Recipe;
  value: V;
  /** readers to come, of each part that anyone has read or will read */
  left: Map<Part, number>;
  whole: number;
}

/**
 * Keeps what was made last of each word, where more than one reader asks for it by the same object: the tensors of a
 * slot are made together and asked for one after the other, and the expert that a layer is aligned to is read once. A
 * part goes with its last reader.
 */
export class RecipeCache<V> {
  private readonly readers = new Map<Recipe, Readers>();
  private readonly last = new Map<Recipe["make"], Entry<V>>();

  /** @param forget is told what was kept and goes unread */
  constructor(weights: Iterable<Made>, private readonly forget: (value: V) => void = () => undefined) {
    for (const { of, part } of weights) this.count(of, part);
  }

  /** Whether it is read more than once. */
  shared(recipe: Recipe): boolean {
    const { whole, parts } = this.readers.get(recipe) ?? { whole: 0, parts: new Map<Part, number>() };
    return whole + [...parts.values()].reduce((sum, count) => sum + count, 0) > 1;
  }

  /** What is kept, or is now made and kept in place of the last of its word. */
  get(recipe: Recipe, make: () => V): V {
    const found = this.last.get(recipe.make);
    if (found?.recipe === recipe) return found.value;
    if (found) this.drop(found, true);
    const { whole, parts } = this.readers.get(recipe)!;
    const entry: Entry<V> = { recipe, value: make(), left: new Map(parts), whole };
    this.last.set(recipe.make, entry);
    return entry.value;
  }

  /**
   * Counts a reading of these parts.
   *
   * @returns those that nobody reads after this
   */
  read(recipe: Recipe, value: V, parts: Iterable<Part>, whole: boolean): Set<Part> {
    const entry = this.last.get(recipe.make);
    if (entry?.value !== value) return new Set(parts);
    if (whole) entry.whole--;
    const done = new Set<Part>();
    for (const part of parts) {
      if (!whole) entry.left.set(part, (entry.left.get(part) ?? 0) - 1);
      if (entry.whole <= 0 && (entry.left.get(part) ?? 0) <= 0) done.add(part);
    }
    if (entry.whole <= 0 && [...entry.left.values()].every((count) => count <= 0)) this.drop(entry, false);
    return done;
  }

  /** Forgets what could not be made. */
  failed(recipe: Recipe, value: V): void {
    const entry = this.last.get(recipe.make);
    if (entry?.value === value) this.drop(entry, false);
  }

  private drop(entry: Entry<V>, unread: boolean): void {
    this.last.delete(entry.recipe.make);
    if (unread) this.forget(entry.value);
  }

  private count(recipe: Recipe, part?: Part): void {
    const seen = this.readers.get(recipe);
    const readers = seen ?? { whole: 0, parts: new Map<Part, number>() };
    if (part === undefined) readers.whole++;
    else readers.parts.set(part, (readers.parts.get(part) ?? 0) + 1);
    if (seen) return;
    this.readers.set(recipe, readers);
    for (const input of inputs(recipe)) this.count(input.of, input.part);
  }
}
