import { topTensors } from "./expected-tensors.js";
import { disposeWeights, type LayerWeights } from "./held-weights.js";
import { keptTensors } from "./kept-tensors.js";
import { layoutOf, readLayer, readWeights } from "./layer-weights.js";
import type { MemoryBudget } from "./memory-budget.js";
import { layerId, type LayerSpec, type ModelSpec } from "./spec.js";
import type { WeightSource } from "./weight-source.js";

/**
 * The weights outside the layers, by what they are needed for: the first layer's input, the norm after the last,
 * logits.
 */
const ENDS = ["embedding", "finalNorm", "head"] as const;
type End = (typeof ENDS)[number];

interface Held {
  reading: Promise<LayerWeights>;
  weights?: LayerWeights;
  sizeBytes: number;
  users: number;
}

/** Weights on the device. A layer waits there for its next use once it was read, as far as the budget goes. */
export class Resident {
  private readonly held = new Map<string, Held>();
  private readonly sizes = new Map<string, number>();

  constructor(private readonly spec: ModelSpec, readonly source: WeightSource, readonly budget: MemoryBudget) {}

  /** The weights of a layer by its path, or those of one end. Give them back with `release`. */
  async take(path: string): Promise<LayerWeights> {
    const place = this.placeOf(path);
    let held = this.held.get(place);
    if (held) this.budget.resume(held);
    else this.held.set(place,
        held = { sizeBytes: this.sizeBytes(place), users: 0, reading: Promise.resolve(new Map()) });
    if (held.users++ === 0) this.budget.use(held.sizeBytes);
    try {
      if (held.users === 1 && !held.weights) held.reading = this.read(place);
      return (held.weights = await held.reading);
    } catch (error) {
      this.held.delete(place);
      if (--held.users === 0) this.budget.done(held.sizeBytes);
      throw error;
    }
  }

  release(path: string): void {
    const place = this.placeOf(path);
    const held = this.held.get(place);
    if (!held || --held.users > 0) return;
    this.budget.done(held.sizeBytes);
    this.budget.wait(held, held.sizeBytes, () => {
      this.held.delete(place);
      drop(held);
    });
  }

  /** Where the weights of a layer are read. */
  sourceOf(_path: string): WeightSource {
    return this.source;
  }

  /** Bytes of a layer or an end on the device. */
  sizeBytes(path: string): number {
    let sizeBytes = this.sizes.get(path);
    if (sizeBytes === undefined) {
      const tensors = isEnd(path) ? endTensors(this.spec, path) : layoutOf(this.layerSpec(path), this.spec.width);
      sizeBytes = tensors.reduce((sum, { shape }) => sum + 4 * shape.reduce((product, length) => product * length, 1),
        0);
      this.sizes.set(path, sizeBytes);
    }
    return sizeBytes;
  }

  /** Gives back what nobody uses at this moment; it is read again when it is asked for. */
  rest(): void {
    for (const [place, held] of this.held) {
      if (held.users > 0) continue;
      this.budget.resume(held);
      drop(held);
      this.held.delete(place);
    }
  }

  dispose(): void {
    for (const held of this.held.values()) {
      this.budget.resume(held);
      if (held.users > 0) this.budget.done(held.sizeBytes);
      drop(held);
    }
    this.held.clear();
  }

  private layerSpec(path: string): LayerSpec {
    for (const stack of ["encoder", "decoder"] as const) {
      const index = this.spec[stack]?.layers.findIndex((_, at) => layerId(stack, at) === path) ?? -1;
      if (index >= 0) return this.spec[stack]!.layers[index];
    }
    throw new Error(`no layer "${path}"`);
  }

  /** A head that shares its matrix with the embedding is read with it. */
  private placeOf(path: string): string {
    return path === "head" && this.spec.head.tied ? "embedding" : path;
  }

  private async read(path: string): Promise<LayerWeights> {
    const weights = await this.readAll(path);
    keptTensors.count += weights.size;
    return weights;
  }

  private async readAll(path: string): Promise<LayerWeights> {
    if (!isEnd(path)) return readLayer(this.source, path, this.layerSpec(path), this.spec.width);
    return readWeights(this.source, endTensors(this.spec, path));
  }
}

/** The weights of a model with some layers of others, which stay with those. */
export class BorrowedLayers extends Resident {
  constructor(spec: ModelSpec, private readonly own: Resident, private readonly others: ReadonlyMap<string, Resident>) {
    super(spec, own.source, own.budget);
  }

  override take(path: string): Promise<LayerWeights> {
    return this.of(path).take(path);
  }
  override release(path: string): void {
    this.of(path).release(path);
  }
  override sourceOf(path: string): WeightSource {
    return this.of(path).source;
  }
  override sizeBytes(path: string): number {
    return this.of(path).sizeBytes(path);
  }

  private of(path: string): Resident {
    return this.others.get(path) ?? this.own;
  }
}

function drop({ weights }: Held): void {
  if (!weights) return;
  keptTensors.count -= weights.size;
  disposeWeights(weights);
}

/** Which of the weights outside the layers an end needs. */
function endTensors(spec: ModelSpec, end: End) {
  const endOf =
    (name:
      string): End => (/(^|\.)finalNorm/.test(name)
        ? "finalNorm"
        : /^(head|embedOut$)/.test(name) && !spec.head.tied
        ? "head"
        : "embedding");
  return topTensors(spec).filter(({ name }) => endOf(name) === end);
}

function isEnd(path: string): path is End {
  return (ENDS as readonly string[]).includes(path);
}
