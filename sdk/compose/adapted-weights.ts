import type { Tensor } from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import { decode, encode } from "../tensor/formats/index.js";
import { tf } from "../tensor/index.js";
import type { Addition } from "./place-adapter.js";

/**
 * The weights of a base with adapters: W + scale B A, made when they are read. DoRA scales each row to its length
 * (arXiv 2402.09353): m (W + D + scale B A) / ||W + scale B A||, D what adapters before it add, as peft computes with
 * several adapters at once.
 */
export class AdaptedWeights implements WeightSource {
  private digest?: Promise<string>;

  /** @param layers what each adapter or update does in turn, by canonical name, and what tells it from others */
  constructor(
    private readonly base: WeightSource,
    private readonly layers: readonly { additions: ReadonlyMap<string, Addition>; digest: string }[],
  ) {}

  names(): Iterable<string> {
    return this.base.names();
  }
  has(name: string): boolean {
    return this.base.has(name);
  }
  info(name: string): TensorInfo {
    return this.base.info(name);
  }
  private changed(name: string): boolean {
    return this.layers.some(({ additions }) => additions.has(name));
  }

  async read(name: string): Promise<Tensor> {
    if (!this.changed(name)) return this.base.read(name);
    return tf.tensor(await this.values(name), this.info(name).shape, "float32");
  }

  /** Rounded to the format of the base, so that a model computes the same before it is saved and after. */
  async values(name: string): Promise<Float32Array> {
    if (!this.changed(name)) return this.base.values(name);
    const made = await this.made(name), { dtype } = this.info(name);
    return dtype === "F16" || dtype === "BF16" ? decode(encode(made, dtype), dtype) : made;
  }

  private async made(name: string): Promise<Float32Array> {
    const base = await this.base.values(name);
    let values = base;
    for (const addition of this.layers.map(({ additions }) => additions.get(name))) {
      if (!addition) continue;
      if (addition.whole) values = await addition.whole();
      if (addition.rows) {
        values = values.slice();
        const width = addition.rows.values.length / addition.rows.at.length;
        addition.rows.at.forEach((id, row) =>
          values.set(addition.rows!.values.subarray(row * width, (row + 1) * width), id * width)
        );
      }
      if (!addition.delta) continue;
      const delta = await addition.delta(), before = values;
      values = before.map((value, i) => value + delta[i]);
      if (addition.magnitude) scaleRows(values, base.map((value, i) => value + delta[i]), addition.magnitude);
    }
    return values;
  }

  rows(name: string, rows: { start: number; end: number }): Promise<Float32Array> | undefined {
    return this.changed(name) ? undefined : this.base.rows?.(name, rows);
  }
  bytes(name: string, rows?: { start: number; end: number }, into?: Uint8Array): Promise<Uint8Array> | undefined {
    if (!this.changed(name)) return this.base.bytes?.(name, rows, into);
    return rows ? undefined : this.made(name).then((values) => encode(values, this.info(name).dtype));
  }
  /** base, product and sum */
  peakReadBytes(name: string): number | undefined {
    const own = this.base.peakReadBytes?.(name);
    if (!this.changed(name)) return own;
    const numbers = 4 * this.info(name).shape.reduce((product, n) => product * n, 1);
    return Math.max(own ?? 0, numbers) + 3 * numbers;
  }

  /** Follows from the base and the adapters, so that nothing has to be made to know it. */
  fingerprint(): Promise<string> {
    return (this.digest ??= (async () => {
      const hash = createHash("sha256").update(await this.base.fingerprint());
      for (const { digest } of this.layers) hash.update(digest);
      return hash.digest("hex");
    })());
  }

  close(): Promise<void> {
    return this.base.close();
  }
}

/** Row o of `values` times lengths[o] / ||row o of `by`||. */
function scaleRows(values: Float32Array, by: Float32Array, lengths: Float32Array): void {
  const width = values.length / lengths.length;
  for (let o = 0; o < lengths.length; o++) {
    let sum = 0;
    for (let i = o * width; i < (o + 1) * width; i++) sum += by[i] ** 2;
    const factor = lengths[o] / Math.sqrt(sum);
    for (let i = o * width; i < (o + 1) * width; i++) values[i] *= factor;
  }
}
