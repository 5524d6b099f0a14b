import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import { tf } from "../tensor/index.js";
import { type Batch, inGivenOrder } from "./batch.js";
import { generate, type GenerateOptions } from "./generate.js";
import { MemoryBudget } from "./memory-budget.js";
import { BorrowedLayers, Resident } from "./resident.js";
import { type LayerId, layerId, layerIds, type ModelSpec } from "./spec.js";
import { sweep, type SweepOptions } from "./sweep.js";
import type { WeightSource } from "./weight-source.js";

export interface ForwardOptions {
  /** hidden states of every layer, and what the routers did; default neither */
  record?: { hidden?: boolean; routing?: boolean };
  /** drop tokens over an expert's capacity where the model has one; default true */
  capacity?: boolean;
  signal?: AbortSignal;
}

/** What the router of one MoE layer did; N = B x T rows in order, padding included (experts -1, gates 0). */
export interface LayerRouting {
  /** [N, E] raw */
  logits: Tensor2D;
  /** [N, K] int32, by falling gate; -1: padding, or dropped over capacity */
  experts: Tensor2D;
  /** [N, K] */
  gates: Tensor2D;
  /** [N, D] output of the routed experts */
  output: Tensor2D;
}

export interface Forward {
  /** [B, T, V], of the decoder */
  logits: Tensor3D;
  /**
   * per stack: [0] input of the first layer, [i] output of layer i - 1, [N, D]; `norm` after the final norm, [B, T, D]
   */
  hidden: Partial<Record<"encoder" | "decoder", { layers: Tensor[]; norm?: Tensor }>>;
  routing: Record<LayerId, LayerRouting>;
  /** the same of mixtures of attention heads, where a model has them (JetMoE) */
  headRouting: Record<LayerId, Omit<LayerRouting, "output">>;
  dispose(): void;
}

/** A spec with weights: it can be run. Weights come in layer by layer; small models stay on the device. */
export class Model {
  private readonly resident: Resident;
  /** what this model and those that share it may take; its `bytes` can be set at any time */
  readonly memory: MemoryBudget;

  /**
   * @param residency.keep a layer stays once it was read (default), or is read again for each use; `memory`: bytes of
   *   weights and activations, or the budget of another model that is shared; default no limit
   */
  constructor(
    readonly id: string,
    readonly spec: ModelSpec,
    readonly weights: WeightSource,
    residency: { keep?: boolean; memory?: number | MemoryBudget } = {},
  ) {
    this.memory = residency.memory instanceof MemoryBudget
      ? residency.memory
      : new MemoryBudget(residency.memory, residency.keep);
    this.resident = new Resident(spec, weights, this.memory);
  }

  /**
   * Logits for every position of a batch. Padding changes nothing at real tokens.
   *
   * @example const { logits } = await model.forward({ ids: [[5, 9, 2, 0]], mask: [[1, 1, 1, 0]], decoderIds: [[0, 7]]
   *   });
   */
  async forward(batch: Batch, options: ForwardOptions = {}): Promise<Forward> {
    const result = { hidden: {}, routing: {}, headRouting: {} } as unknown as Forward;
    const { record } = options;
    const D = this.spec.width;
    await this.sweep([batch], {
      capacity: options.capacity,
      signal: options.signal,
      sites: ["logits", ...(record?.hidden ? ["stream", "norm"] as const : []),
        ...(record?.routing ? ["moe", "heads"] as const : [])],
      onSite(seen, { stack, rows }) {
        const given = <T extends Tensor>(x: T) => tf.tidy(() => tf.clone(inGivenOrder(x, rows)));
        if (seen.site === "logits") result.logits = tf.clone(seen.logits);
        else if (seen.site === "norm") {
          const { x } = seen;
          result.hidden[stack]!.norm = tf.tidy(() => tf.reshape(inGivenOrder(tf.reshape(x, [-1, D]), rows), x.shape));
        } else if (seen.site === "stream") {
          const { layers } = (result.hidden[stack] ??= { layers: [] });
          if (seen.at === "out" || (seen.at === "in" && layers.length === 0)) layers.push(given(seen.x));
        } else if (seen.site === "moe" || seen.site === "heads") {
          const of = { logits: given(seen.logits), experts: given(seen.choice), gates: given(seen.gates) };
          if (seen.site === "heads") result.headRouting[seen.layer] = of;
          else result.routing[seen.layer] = { ...of, output: given(seen.output) };
        }
      },
    });
    result.dispose = () => void tf.dispose([result.logits, result.hidden, result.routing, result.headRouting] as never);
    return result;
  }

  /** All batches through each layer in turn, with handlers for what happens on the way: see `sweep`. */
  sweep(batches: Batch[], options: SweepOptions): Promise<void> {
    return sweep(this.spec, this.resident, batches, options);
  }

  /**
   * Continuation with a key-value cache, greedy or sampled: see `generate`. `study.generate` takes text.
   * @example const [answer] = await model.generate({ ids: [prompt] }, { maxTokens: 12, topP: 0.9, seed: 1 });
   */
  generate(prompt: { ids: number[][]; mask?: number[][] }, options: GenerateOptions = {}): Promise<number[][]> {
    return generate(this.spec, this.resident, prompt, options);
  }

  /**
   * The sweep of this model with some layers of others in place of its own, such as variants of it that a search tries.
   * Nothing is read that one of them holds, and nothing is changed.
   */
  sweepWith(others: ReadonlyMap<LayerId, Model>, batches: Batch[], options: SweepOptions = {}): Promise<void> {
    const spec = { ...this.spec };
    for (const stack of ["encoder", "decoder"] as const) {
      const own = this.spec[stack];
      const layers = own?.layers.map((layer, at) => others.get(layerId(stack, at))?.spec[stack]!.layers[at] ?? layer);
      if (own) spec[stack] = { ...own, layers: layers! };
    }
    const residents = new Map([...others].map(([id, { resident }]) => [id, resident]));
    return sweep(spec, new BorrowedLayers(spec, this.resident, residents), batches, options);
  }

  /** Whether weights do not stay: every pass reads what the memory does not hold once more. */
  get streams(): boolean {
    if (!this.memory.keep) return true;
    const paths = [...layerIds(this.spec), "embedding", "finalNorm", "head"];
    return paths.reduce((sum, path) => sum + this.resident.sizeBytes(path), 0) > this.memory.bytes;
  }

  /** Bytes of a layer on the device. */
  layerBytes(layer: LayerId): number {
    return this.resident.sizeBytes(layer);
  }

  /** Gives back the device memory that is not in use at this moment. */
  rest(): void {
    this.resident.rest();
  }

  /** Gives device memory and files back; the model can still be used and reads its weights again. */
  async dispose(): Promise<void> {
    this.resident.dispose();
    await this.weights.close();
  }
}
