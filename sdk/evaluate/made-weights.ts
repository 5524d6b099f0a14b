import type { Tensor } from "@tensorflow/tfjs-core";
import type { Changes } from "../method/method.js";
import type { WeightSource } from "../model/weight-source.js";
import { tf } from "../tensor/index.js";

/** Weights that plans made, by what was said of them, so that plans that say the same of a weight make it once. */
export class MadeWeights {
  private readonly kept = new Map<string, Promise<Float32Array>>();
  private sizeBytes = 0;

  constructor(private readonly limitBytes: number) {}

  /** These weights, those that the plan names one by one kept for others; whose layer changes otherwise is not. */
  sharing(weights: WeightSource, { layers, weights: named = {}, units }: Changes): WeightSource {
    if (Object.keys(layers).length > 0 || units) return weights;
    const keyOf = (name: string) => (named[name] ? `${name} ${JSON.stringify(named[name])}` : undefined);
    const values = async (name: string) => {
      const key = keyOf(name);
      return key === undefined ? weights.values(name) : (await this.get(key, () => weights.values(name))).slice();
    };
    return {
      names: () => weights.names(),
      has: (name) => weights.has(name),
      info: (name) => weights.info(name),
      values,
      read: async (name): Promise<Tensor> =>
        keyOf(name) === undefined ? weights.read(name) : tf.tensor(await values(name), weights.info(name).shape),
      fingerprint: () => weights.fingerprint(),
      close: () => weights.close(),
    };
  }

  private get(key: string, make: () => Promise<Float32Array>): Promise<Float32Array> {
    let found = this.kept.get(key);
    if (found) return found;
    this.kept.set(key, found = make());
    found.then(({ byteLength }) => {
      this.sizeBytes += byteLength;
      for (const [oldest, values] of this.kept) {
        if (this.sizeBytes <= this.limitBytes || oldest === key) break;
        this.kept.delete(oldest);
        void values.then(({ byteLength }) => (this.sizeBytes -= byteLength));
      }
    }, () => this.kept.delete(key));
    return found;
  }
}
