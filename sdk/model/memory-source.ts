import type { Tensor } from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import { MoeError, suggest } from "../errors.js";
import { tf } from "../tensor/index.js";
import type { TensorInfo, WeightSource } from "./weight-source.js";

/** Weights in memory as float32, e.g. those of a new model or of one that was just trained. */
export class MemorySource implements WeightSource {
  private print?: string;

  /** @param tensors canonical name -> numbers; kept, not copied */
  constructor(private readonly tensors: Map<string, { shape: number[]; values: Float32Array }>) {}

  names(): Iterable<string> {
    return this.tensors.keys();
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  info(name: string): TensorInfo {
    const { shape, values } = this.get(name);
    return { dtype: "F32", shape, sizeBytes: values.byteLength };
  }

  async values(name: string): Promise<Float32Array> {
    return this.get(name).values.slice();
  }

  async read(name: string): Promise<Tensor> {
    const { shape, values } = this.get(name);
    return tf.tensor(values.slice(), shape, "float32");
  }

  async fingerprint(): Promise<string> {
    if (this.print) return this.print;
    const hash = createHash("sha256");
    for (const name of [...this.tensors.keys()].sort()) {
      const { shape, values } = this.get(name);
      hash.update(`${name} F32 ${shape.join("x")}\n`).update(
        new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      );
    }
    return (this.print = hash.digest("hex"));
  }

  async close(): Promise<void> {}

  private get(name: string) {
    const found = this.tensors.get(name);
    if (!found)
      throw new MoeError("unknown-tensor",
        `read: "${name}" is no weight of this model. ${suggest(name, [...this.tensors.keys()].slice(0, 200))}`);
    return found;
  }
}
