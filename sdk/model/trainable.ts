import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import { inGivenOrder, type Rows } from "./batch.js";
import { embed, finalNorm, head } from "./ends.js";
import { topTensors } from "./expected-tensors.js";
import { withHeldForms } from "./form/formed-matrices.js";
import { disposeWeights, type LayerWeights } from "./held-weights.js";
import { layoutOf, readLayer, readWeights } from "./layer-weights.js";
import { MemorySource } from "./memory-source.js";
import { keyMaskOf, type MoeRecord, type Pass, type Site } from "./pass.js";
import { runLayer } from "./run-layer.js";
import { layerId, type ModelSpec } from "./spec.js";
import type { WeightSource } from "./weight-source.js";

const MOE: ReadonlySet<Site> = new Set<Site>(["moe"]);
/** path of the weights outside the layers */
const TOP = "";

/** A model whose weights are variables on the device, for training. Experts of a layer are one stacked variable. */
export class Trainable {
  private constructor(readonly spec: ModelSpec, private readonly parts: Map<string, LayerWeights>) {}

  /** Matrices are in the forms in which they lie on the device, and so `trainable.spec` has them. */
  static async from(given: ModelSpec, source: WeightSource): Promise<Trainable> {
    const spec = withHeldForms(given);
    const parts = new Map<string, LayerWeights>();
    // whole numbers, such as orders, are not trained
    const hold = (weights: LayerWeights, still: ReadonlySet<string> = new Set()): LayerWeights => {
      for (const [key, tensor] of weights) {
        if (still.has(key)) continue;
        weights.set(key, tf.variable(tensor as never) as Tensor);
        tensor.dispose();
      }
      return weights;
    };
    try {
      parts.set(TOP, hold(await readWeights(source, topTensors(spec))));
      for (const { path, layer } of layersOf(spec))
        parts.set(path,
          hold(await readLayer(source, path, layer, spec.width),
            new Set(layoutOf(layer, spec.width).filter(({ index }) => index).map(({ key }) => key))));
      return new Trainable(spec, parts);
    } catch (error) {
      for (const weights of parts.values()) disposeWeights(weights);
      throw error;
    }
  }

  /** Every variable by path and key, e.g. "encoder.layers.2" + "bank.0.up", in running order. */
  variables(): { name: string; variable: Variable }[] {
    return [...this.parts].flatMap(([path, weights]) =>
      [...weights].flatMap(([key, tensor]) =>
        tensor instanceof tf.Variable ? [{ name: path === TOP ? key : `${path}.${key}`, variable: tensor }] : []
      )
    );
  }

  /**
   * Logits [N, V] of the decoder's rows; differentiable, to be called inside a tidy or a gradient.
   * No token is dropped over capacity.
   *
   * @param how another spec with the same weights (fewer choices, other masks), the seed of routers that draw, and a
   *   probe: see `Pass`
   */
  logits(
    sides: { encoder?: Rows; decoder: Rows },
    onMoe?: (record: MoeRecord) => void,
    { spec = this.spec, seed, probe }: { spec?: ModelSpec } & Pick<Pass, "seed" | "probe"> = {},
  ): Tensor {
    const top = this.parts.get(TOP)!;
    const run = (stack: "encoder" | "decoder", rows: Rows, extra: Partial<Pass>): Tensor => {
      const pass: Pass = { B: rows.B, T: rows.T, offset: 0, ids: rows.ids, seed, real: rows.real,
        keyMask: keyMaskOf(rows), capacity: false, probe,
        look: onMoe && { sites: MOE, see: (record) => record.site === "moe" && onMoe(record) }, ...extra };
      let x = embed(rows, spec, top, stack);
      spec[stack]!.layers.forEach((layer, index) => {
        x = runLayer(x, layer, this.parts.get(layerId(stack, index))!, pass, stack, index);
      });
      return finalNorm(x, spec, top, stack);
    };
    const extra: Partial<Pass> = {};
    if (sides.encoder) {
      const memory = run("encoder", sides.encoder, {});
      extra.memory = tf.reshape(memory, [sides.encoder.B, sides.encoder.T, spec.width]);
      extra.memoryMask = keyMaskOf(sides.encoder);
    }
    const logits = head(run("decoder", sides.decoder, extra), spec, top);
    return sides.decoder.places ? inGivenOrder(logits, sides.decoder) : logits;
  }

  /** Whether a variable is one that training leaves as it is: of a frozen router. */
  isFrozen(name: string): boolean {
    const [path, rest] = name.split(/\.(?=router(?:\.|$))/);
    const layer = rest !== undefined && layersOf(this.spec).find((one) => one.path === path)?.layer;
    return layer && layer.ffn?.kind === "moe" ? Boolean(layer.ffn.router.score?.frozen) : false;
  }

  /** The present weights as an independent copy in memory. */
  async snapshot(): Promise<MemorySource> {
    const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
    for (const [name, tensor] of this.parts.get(TOP)!)
      tensors.set(name, { shape: tensor.shape, values: (await tensor.data()) as Float32Array });
    for (const { path, layer } of layersOf(this.spec)) {
      const weights = this.parts.get(path)!;
      for (const { key, from, shape, stacked } of layoutOf(layer, this.spec.width)) {
        const values = (await weights.get(key)!.data()) as Float32Array;
        const own = stacked ? shape.slice(1) : shape;
        const size = own.reduce((product, n) => product * n, 1);
        from.forEach((name, slot) =>
          tensors.set(`${path}.${name}`, { shape: own, values: values.slice(slot * size, (slot + 1) * size) })
        );
      }
    }
    return new MemorySource(tensors);
  }

  dispose(): void {
    for (const weights of this.parts.values()) disposeWeights(weights);
  }
}

function layersOf(spec: ModelSpec) {
  return (["encoder", "decoder"] as const).flatMap((stack) =>
    (spec[stack]?.layers ?? []).map((layer, index) => ({ path: layerId(stack, index), layer }))
  );
}
