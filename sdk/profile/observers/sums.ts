import type { LayerId } from "../../model/spec.js";

/**
 * Running sums by layer and name, in double precision: what makes a statistic exact under chunking (up to
 * rounding) and mergeable over shards.
 */
export class Sums {
  private readonly layers = new Map<LayerId, Map<string, Float64Array>>();

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

  has(layer: LayerId, name: string): boolean {
    return this.layers.get(layer)?.has(name) ?? false;
  }

  /** Adds the sums of another shard. */
  merge(other: Sums): void {
    for (const [layer, sums] of other.layers) for (const [name, values] of sums) this.add(layer, name, values);
  }

  /** One value for each layer that was seen. */
  map<R>(value: (layer: LayerId) => R): Record<LayerId, R> {
    return Object.fromEntries([...this.layers.keys()].map((layer) => [layer, value(layer)]));
  }
}

/** Cuts a flat row-major matrix into plain rows. */
export function rows(flat: ArrayLike<number>, columns: number): number[][] {
  return Array.from({ length: flat.length / columns }, (_, row) => Array.from({ length: columns }, (_, column) => flat[row * columns + column]));
}
