import type { WeightSource } from "../checkpoint/weight-source.js";
import { topTensors } from "./expected-tensors.js";
import { disposeWeights, readLayer, type LayerWeights } from "./layer-weights.js";
import { layerId, type ModelSpec } from "./spec.js";

/** The weights outside the layers: `embed`, `finalNorm`, `head`, … */
export const TOP = "";

/**
 * Weights on the device. With `keep` a layer stays once it was read; without, it is read for every use and given
 * back after it, so that a model larger than memory runs one layer at a time.
 */
export class Resident {
  private readonly layers = new Map<string, LayerWeights>();

  constructor(private readonly spec: ModelSpec, private readonly source: WeightSource, readonly keep: boolean) {}

  /** The weights of a layer by its path, or of TOP. Give them back with `release`. */
  async take(path: string): Promise<LayerWeights> {
    const held = this.layers.get(path);
    if (held) return held;
    const weights = path === TOP ? await this.readTop() : await readLayer(this.source, path, this.layerSpec(path), this.spec.width);
    if (this.keep || path === TOP) this.layers.set(path, weights);
    return weights;
  }

  release(path: string, weights: LayerWeights): void {
    if (!this.layers.has(path)) disposeWeights(weights);
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
