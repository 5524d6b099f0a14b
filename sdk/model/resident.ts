import type { WeightSource } from "../checkpoint/weight-source.js";
import { topTensors } from "./expected-tensors.js";
import { disposeWeights, readLayer, type LayerWeights } from "./layer-weights.js";
import { layerId, type ModelSpec } from "./spec.js";

/** The weights outside the layers: `embed`, `finalNorm`, `head`, … */
export const TOP = "";

/**
 * Weights on the device. A layer stays once it was read, as far as the budget goes; then the layer that was used longest
 * ago is given back first. With a budget of 0 a layer is read for every use, so that a model larger than memory runs one
 * layer at a time.
 */
export class Resident {
  /** least recently used first */
  private readonly layers = new Map<string, LayerWeights>();
  private readonly used = new Set<LayerWeights>();

  /** @param budgetBytes for layers that stay; the layer in use and the weights outside the layers come on top */
  constructor(private readonly spec: ModelSpec, private readonly source: WeightSource, readonly budgetBytes: number) {}

  /** The weights of a layer by its path, or of TOP. Give them back with `release`. */
  async take(path: string): Promise<LayerWeights> {
    const held = this.layers.get(path);
    const weights = held ?? (path === TOP ? await this.readTop() : await readLayer(this.source, path, this.layerSpec(path), this.spec.width));
    this.layers.delete(path);
    this.layers.set(path, weights);
    if (path !== TOP) this.used.add(weights);
    return weights;
  }

  release(path: string, weights: LayerWeights): void {
    this.used.delete(weights);
    if (this.layers.get(path) !== weights) return disposeWeights(weights);
    const others = [...this.layers].filter(([each]) => each !== TOP);
    let sizeBytes = others.reduce((sum, [, each]) => sum + bytesOf(each), 0);
    for (const [each, held] of others) {
      if (sizeBytes <= this.budgetBytes) break;
      if (this.used.has(held)) continue;
      sizeBytes -= bytesOf(held);
      this.layers.delete(each);
      disposeWeights(held);
    }
  }

  dispose(): void {
    for (const weights of this.layers.values()) disposeWeights(weights);
    this.layers.clear();
  }

  private layerSpec(path: string) {
    for (const stack of ["encoder", "decoder"] as const) {
      const index = this.spec[stack]?.layers.findIndex((_, at) => layerId(stack, at) === path) ?? -1;
      if (index >= 0) return this.spec[stack]!.layers[index];
    }
    throw new Error(`no layer "${path}"`);
  }

  private async readTop(): Promise<LayerWeights> {
    const weights: LayerWeights = new Map();
    for (const { name } of topTensors(this.spec)) weights.set(name, await this.source.read(name));
    return weights;
  }
}

function bytesOf(weights: LayerWeights): number {
  return [...weights.values()].reduce((sum, tensor) => sum + 4 * tensor.size, 0);
}
