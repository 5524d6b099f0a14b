import { createHash } from "node:crypto";
import type { TensorInfo, WeightSource } from "../../sdk/model/weight-source.js";
import { tf } from "../../sdk/tensor/index.js";

/** Weights held in memory, which count how often each was read. */
export class MemoryWeights implements WeightSource {
  readonly reads = new Map<string, number>();
  constructor(readonly tensors: Map<string, { shape: number[]; values: Float32Array }>) {}

  names(): Iterable<string> {
    return this.tensors.keys();
  }
  has(name: string): boolean {
    return this.tensors.has(name);
  }
  info(name: string): TensorInfo {
    const { shape, values } = this.tensors.get(name)!;
    return { dtype: "F32", shape, sizeBytes: values.byteLength };
  }
  async values(name: string): Promise<Float32Array> {
    this.reads.set(name, (this.reads.get(name) ?? 0) + 1);
    return this.tensors.get(name)!.values.slice();
  }
  async read(name: string) {
    return tf.tensor(await this.values(name), this.tensors.get(name)!.shape);
  }
  async fingerprint(): Promise<string> {
    const hash = createHash("sha256");
    for (const [name, { shape, values }] of [...this.tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(JSON.stringify([name, shape])).update(
        new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      );
    }
    return hash.digest("hex");
  }
  async close(): Promise<void> {}
}
