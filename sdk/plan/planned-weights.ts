import type { Tensor } from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import { MoeError } from "../errors.js";
import type { SpecAndWeights } from "../model/spec-and-weights.js";
import { layerId, type ModelSpec, moeLayers } from "../model/spec.js";
import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import { tf } from "../tensor/index.js";
import type { LayerPlan, Plan } from "./plan.js";
import { relativeBias } from "./planned-spec.js";
import { type SlotTensor, SlotWeights } from "./slot-weights.js";

/** How one tensor of the planned model comes about. */
type Origin =
  | { from: "original"; name: string }
  | { from: "rows"; name: string; rows: number[] }
  | { from: "slot"; tensor: SlotTensor };

/** The weights of a planned model: those of the original where nothing changed, the others made when they are read. */
export class PlannedWeights implements WeightSource {
  private readonly origins = new Map<string, Origin>();
  private readonly slots: SlotWeights;
  private digest?: Promise<string>;

  constructor(
    private readonly model: SpecAndWeights,
    private readonly plan: Plan,
    spec: ModelSpec,
    private readonly tensors: Record<string, WeightSource>,
  ) {
    this.slots = new SlotWeights(model, tensors);
    for (const name of model.weights.names()) this.origins.set(name, { from: "original", name });
    const made = new Map(moeLayers(spec).map(({ id, ffn }) => [id, ffn.slots]));
    for (const { id, ffn } of moeLayers(model.spec)) {
      const change = plan.layers[id];
      if (!change || change.drop === "layer" || change.drop === "ffn") continue;
      if (change.slots)
        this.replaceSlots(id, change.slots.length, ffn.slots.length, (slot) =>
          this.slots.tensors(id, ffn, change.slots![slot], made.get(id)![slot]));
      if (change.router?.rows) this.cutRouter(id, change.router.rows);
    }
    for (const [id, change] of Object.entries(plan.layers)) this.drop(id, change, spec);
  }

  names(): Iterable<string> {
    return this.origins.keys();
  }

  has(name: string): boolean {
    return this.origins.has(name);
  }

  info(name: string): TensorInfo {
    const origin = this.origin(name);
    if (origin.from === "slot") return origin.tensor.info;
    const info = this.model.weights.info(origin.name);
    if (origin.from === "original") return info;
    const shape = [origin.rows.length, ...info.shape.slice(1)];
    return { ...info, shape, sizeBytes: (info.sizeBytes / info.shape[0]) * origin.rows.length };
  }

  async read(name: string): Promise<Tensor> {
    const origin = this.origin(name);
    if (origin.from === "slot") return tf.tensor(await origin.tensor.values(), origin.tensor.info.shape, "float32");
    const original = await this.model.weights.read(origin.name);
    if (origin.from === "original") return original;
    const rows = tf.tidy(() => tf.gather(original, tf.tensor1d(origin.rows, "int32"), 0));
    original.dispose();
    return rows;
  }

  rows(name: string, rows: { start: number; end: number }): Promise<Float32Array> | undefined {
    return this.origin(name).from === "original"
      ? this.model.weights.rows?.((this.origin(name) as { name: string }).name, rows)
      : undefined;
  }

  bytes(name: string, rows?: { start: number; end: number }, into?: Uint8Array): Promise<Uint8Array> | undefined {
    const origin = this.origin(name);
    if (origin.from === "original") return this.model.weights.bytes?.(origin.name, rows, into);
    return origin.from === "slot" && !rows ? origin.tensor.bytes?.() : undefined;
  }

  peakReadBytes(name: string): number | undefined {
    const origin = this.origin(name);
    return origin.from === "original" ? this.model.weights.peakReadBytes?.(origin.name) : undefined;
  }

  async values(name: string): Promise<Float32Array> {
    const origin = this.origin(name);
    if (origin.from === "original") return this.model.weights.values(origin.name);
    if (origin.from === "slot") return origin.tensor.values();
    const tensor = await this.read(name);
    const values = (await tensor.data()) as Float32Array;
    tensor.dispose();
    return values;
  }

  /** Follows from the original's weights and the plan, so that nothing has to be made to know it. */
  fingerprint(): Promise<string> {
    return (this.digest ??= (async () => {
      const hash = createHash("sha256").update(await this.model.weights.fingerprint()).update(
        JSON.stringify(this.plan.layers),
      );
      for (const [name, source] of Object.entries(this.tensors)) hash.update(name).update(await source.fingerprint());
      return hash.digest("hex");
    })());
  }

  /** The original stays open: it belongs to whoever opened it. */
  async close(): Promise<void> {}

  private origin(name: string): Origin {
    const origin = this.origins.get(name);
    if (origin) return origin;
    throw new MoeError("unknown-tensor",
      `read: tensor "${name}" is not in the planned model. Check the name against its architecture.`);
  }

  private replaceSlots(
    id: string,
    count: number,
    before: number,
    tensorsOf: (slot: number) => Record<string, SlotTensor>,
  ): void {
    for (let slot = 0; slot < before; slot++) this.forget(`${id}.experts.${slot}.`);
    for (let slot = 0; slot < count; slot++) {
      for (const [suffix, tensor] of Object.entries(tensorsOf(slot))) {
        this.origins.set(`${id}.experts.${slot}.${suffix}`,
          tensor.same ? { from: "original", name: tensor.same } : { from: "slot", tensor });
      }
    }
  }

  private cutRouter(id: string, rows: number[]): void {
    for (const name of [`${id}.router`, `${id}.router.bias`, `${id}.router.choiceBias`]) {
      if (this.model.weights.has(name)) this.origins.set(name, { from: "rows", name, rows });
    }
  }

  private drop(id: string, { drop }: LayerPlan, spec: ModelSpec): void {
    if (!drop) return;
    if (drop !== "ffn") this.moveRelativeBias(id, spec);
    const parts =
      { layer: [""], attention: ["attention.", "norm.attention"],
        ffn: ["ffn.", "router", "experts.", "shared.", "norm.ffn"] }[drop];
    for (const part of parts) this.forget(`${id}.${part}`);
  }

  /** T5's first attention owns the bias table of its stack; when it goes, the next attention owns it */
  private moveRelativeBias(id: string, spec: ModelSpec): void {
    const table = `${id}.attention.relativeBias`;
    const origin = this.origins.get(table);
    const stack = id.startsWith("encoder.") ? "encoder" : "decoder";
    const heir = spec[stack]!.layers.findIndex((layer) => relativeBias(layer)?.own);
    if (origin && heir >= 0) this.origins.set(`${layerId(stack, heir)}.attention.relativeBias`, origin);
  }

  private forget(prefix: string): void {
    for (const name of [...this.origins.keys()]) if (name.startsWith(prefix)) this.origins.delete(name);
  }
}
