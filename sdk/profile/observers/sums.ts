import type { LayerId } from "../../model/spec.js";

/** Running sums of one layer by name. */
export type LayerSums = Map<string, Float64Array>;

/**
 * Running sums by layer and name, in double precision: what makes a statistic exact under chunking (up to
 * rounding) and mergeable over shards.
 */
export class Sums {
  private readonly layers = new Map<LayerId, LayerSums>();

  /** Adds numbers to the sum of that name, element by element. */
  add(layer: LayerId, name: string, values: ArrayLike<number>): void {
    const sum = this.of(layer, name, values.length);
    for (let i = 0; i < values.length; i++) sum[i] += values[i];
  }

  /** The sum of that name, zeros of this size when nothing was added yet. Writing to it changes the sum. */
  of(layer: LayerId, name: string, size: number): Float64Array {
    if (!this.layers.has(layer)) this.layers.set(layer, new Map());
    const sums = this.layers.get(layer)!;
    if (!sums.has(name)) sums.set(name, new Float64Array(size));
    return sums.get(name)!;
  }

  /** Adds the sums of another shard. */
  merge(other: Sums): void {
    for (const [layer, sums] of other.layers) for (const [name, values] of sums) this.add(layer, name, values);
  }

  /** Takes the larger of each number of this and another shard. */
  mergeMaxima(other: Sums): void {
    for (const [layer, maxima] of other.layers) {
      for (const [name, values] of maxima) {
        const most = this.of(layer, name, values.length);
        values.forEach((value, i) => (most[i] = Math.max(most[i], value)));
      }
    }
  }

  /** One value for each layer that was seen, from its sums. */
  map<R>(value: (sum: (name: string) => Float64Array) => R): Record<LayerId, R> {
    return Object.fromEntries([...this.layers].map(([layer, sums]) => [layer, value((name) => sums.get(name)!)]));
  }
}

/** Cuts a flat row-major matrix into plain rows. */
export function rows(flat: ArrayLike<number>, columns: number): number[][] {
  return Array.from({ length: flat.length / columns },
    (_, row) => Array.from({ length: columns }, (_, column) => flat[row * columns + column]));
}
