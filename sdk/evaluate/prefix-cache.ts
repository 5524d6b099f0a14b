import type { Tensor } from "@tensorflow/tfjs-core";
import type { Activations } from "../model/activations.js";
import type { SweepKeeper, SweepPoint } from "../model/sweep.js";
import { tf } from "../tensor/index.js";

interface Kept extends Pick<SweepPoint, "stack" | "layer"> {
  batches: { x: Tensor; bias?: Tensor; memory?: Tensor }[];
  sizeBytes: number;
}

/**
 * Activations after the layers of models that differ from some layer on: a sweep begins after the last layer that
 * another one had in common with it. What was used longest ago makes room.
 */
export class PrefixCache {
  private readonly kept = new Map<string, Kept>();
  private sizeBytes = 0;

  constructor(private readonly limitBytes: number) {}

  /** For one sweep. @param keys a name for what happened up to each layer, by stack and count of done layers */
  keeper(keys: ReadonlyMap<string, string>): SweepKeeper {
    return {
      restore: async (activations) => {
        const key = [...keys.values()].findLast((key) => this.kept.has(key));
        if (key === undefined) return undefined;
        const found = this.kept.get(key)!;
        this.kept.delete(key); // to the end: used last
        this.kept.set(key, found);
        return held(found, activations);
      },
      save: async (point) => {
        const key = keys.get(`${point.stack} ${point.layer}`);
        if (key !== undefined && !this.kept.has(key)) await this.add(key, point);
      },
    };
  }

  dispose(): void {
    for (const key of [...this.kept.keys()]) this.drop(key);
  }

  private async add(key: string, { stack, layer, batches }: SweepPoint): Promise<void> {
    const sizeBytes = 4
      * batches.reduce(
        (sum, { x, bias, memory }) => sum + size(x.shape) + (bias?.size ?? 0) + (memory ? size(memory.shape) : 0),
        0,
      );
    if (sizeBytes > this.limitBytes / 4) return;
    const copies: Kept["batches"] = [];
    for (const { x, bias, memory } of batches)
      copies.push({ x: await x.read(), bias: bias && tf.clone(bias), memory: await memory?.read() });
    this.kept.set(key, { stack, layer, batches: copies, sizeBytes });
    this.sizeBytes += sizeBytes;
    for (const oldest of this.kept.keys()) {
      if (this.sizeBytes <= this.limitBytes) break;
      this.drop(oldest);
    }
  }

  private drop(key: string): void {
    const { batches, sizeBytes } = this.kept.get(key)!;
    for (const { x, bias, memory } of batches) tf.dispose([x, bias, memory].filter((tensor) => tensor !== undefined));
    this.kept.delete(key);
    this.sizeBytes -= sizeBytes;
  }
}

/** Copies that belong to a sweep. */
async function held({ stack, layer, batches }: Kept, activations: Activations): Promise<SweepPoint> {
  const point: SweepPoint = { stack, layer, batches: [] };
  for (const { x, bias, memory } of batches) {
    point.batches.push({ x: await activations.hold(tf.clone(x)), bias: bias && tf.keep(tf.clone(bias)),
      memory: memory && (await activations.hold(tf.clone(memory))) });
  }
  return point;
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
