import type { Tensor } from "@tensorflow/tfjs-core";
import { createHash } from "node:crypto";
import { MoeError, suggest } from "../errors.js";
import type { TensorInfo, WeightSource } from "../model/weight-source.js";
import type { Dtype } from "../tensor/formats/dtype.js";
import type { Parts } from "../tensor/formats/number-format.js";
import { tf } from "../tensor/index.js";
import { ownRows, type Place, readBlock } from "./place.js";
import type { Range, TensorStore } from "./tensor-store.js";

const SAMPLE_BYTES = 4096;
const FLOATS: readonly Dtype[] = ["F64", "F32", "F16", "BF16"];

/** Weights of a checkpoint on disk by canonical name, read when asked for. */
export class CheckpointSource implements WeightSource {
  private print?: Promise<string>;
  /** how many weights take turns in the same rows */
  private readonly sharers = new Map<string, number>();
  /** rows that were read last, as long as not all weights in them were asked for: a matrix and its bias */
  private readonly shared = new Map<string, { seen: Set<string>; block: Promise<Float32Array> }>();

  /** @param places where each canonical weight lies in the store */
  constructor(private readonly store: TensorStore, private readonly places: Map<string, Place>) {
    for (const place of places.values())
      if (place.pick) this.sharers.set(rowsOf(place), (this.sharers.get(rowsOf(place)) ?? 0) + 1);
  }

  names(): Iterable<string> {
    return this.places.keys();
  }

  has(name: string): boolean {
    return this.places.has(name);
  }

  info(name: string): TensorInfo {
    const { name: disk, shape } = this.place(name);
    const whole = this.store.info(disk);
    const share = size(shape) / (size(whole.shape) || 1);
    const format = this.stored(name) && whole.format;
    return { dtype: whole.dtype, shape, sizeBytes: Math.round(whole.sizeBytes * share), ...(format && { format }) };
  }

  parts(name: string): Promise<Parts<Uint8Array>> | undefined {
    return this.stored(name)?.();
  }

  /** Reads the parts of a weight that is a packed tensor of its own. */
  private stored(name: string): (() => Promise<Parts<Uint8Array>>) | undefined {
    const { name: disk, rows, pick } = this.place(name);
    return rows || pick ? undefined : this.store.parts?.(disk);
  }

  /**
   * Weights that take turns in the same rows (gate and up of a fused expert) are read once when they are asked for one
   * after the other.
   */
  async values(name: string): Promise<Float32Array> {
    const place = this.place(name);
    if (!place.pick) return readBlock(this.store, place);
    const key = rowsOf(place);
    if (!this.shared.get(key) || this.shared.get(key)!.seen.has(name)) {
      this.shared.delete(key);
      for (const oldest of [...this.shared.keys()].slice(0, -1)) this.shared.delete(oldest);
      this.shared.set(key, { seen: new Set(), block: readBlock(this.store, place) });
    }
    const { seen, block } = this.shared.get(key)!;
    seen.add(name);
    if (seen.size === this.sharers.get(key)) this.shared.delete(key);
    return ownRows(await block, place);
  }

  bytes(name: string, rows?: Range, into?: Uint8Array): Promise<Uint8Array> | undefined {
    const place = this.place(name);
    const { dtype } = this.info(name);
    if (place.pick || place.transposed !== undefined || !FLOATS.includes(dtype)) return undefined;
    const { start, end } = this.byteRange(name);
    const rowBytes = (end - start) / (place.shape[0] || 1);
    return this.store.bytes(place.name,
      rows ? { start: start + rows.start * rowBytes, end: start + rows.end * rowBytes } : { start, end }, into);
  }

  rows(name: string, { start, end }: Range): Promise<Float32Array> | undefined {
    const place = this.place(name);
    return place.diskShape.join() === place.shape.join() && !place.pick && place.transposed === undefined
      ? this.store.values(place.name, { start, end })
      : undefined;
  }

  peakReadBytes(name: string): number {
    const { name: disk, diskShape, rows, transposed, pick, shape } = this.place(name);
    const { dtype, sizeBytes } = this.store.info(disk);
    const share = rows ? (rows.end - rows.start) / (diskShape[0] || 1) : 1;
    const [stored, numbers] = [share * sizeBytes, share * 4 * size(diskShape)];
    // float32 is used as it was read; the rows that are the weight's own come last, when only one form of the block is
    // left
    const decoded = dtype === "F32" ? stored : stored + numbers;
    const turned = transposed === undefined ? 0 : numbers;
    const block = turned ? stored + numbers : decoded;
    return Math.max(decoded + turned, block + (pick ? 4 * size(shape) : 0));
  }

  async read(name: string): Promise<Tensor> {
    return tf.tensor(await this.values(name), this.info(name).shape, "float32");
  }

  /**
   * sha256 over canonical names, dtypes and shapes of all tensors and the first, middle and last 4 KiB of each:
   * training changes every one of these, and a checkpoint of any size is told apart in a few reads per tensor.
   */
  fingerprint(): Promise<string> {
    return (this.print ??= (async () => {
      const hash = createHash("sha256");
      for (const name of [...this.places.keys()].sort()) {
        const { dtype, shape } = this.info(name);
        hash.update(`${name} ${dtype} ${shape.join("x")}\n`);
        const { start: first, end: last } = this.byteRange(name);
        const sizeBytes = last - first;
        const starts = sizeBytes <= 3 * SAMPLE_BYTES ? [0] : [0, Math.floor(sizeBytes / 2), sizeBytes - SAMPLE_BYTES];
        for (const start of starts) {
          const end = starts.length === 1 ? sizeBytes : start + SAMPLE_BYTES;
          if (end > start)
            hash.update(await this.store.bytes(this.place(name).name, { start: first + start, end: first + end }));
        }
      }
      return hash.digest("hex");
    })());
  }

  close(): Promise<void> {
    return this.store.close();
  }

  /** The bytes of the rows that hold a weight; weights of one expert that share rows share them. */
  private byteRange(name: string): Range {
    const { name: disk, rows } = this.place(name);
    // with the scales of a quantised tensor after its codes, a row's share need not be whole
    const { sizeBytes, shape } = this.store.info(disk);
    const rowBytes = sizeBytes / (shape[0] || 1);
    return rows
      ? { start: Math.floor(rows.start * rowBytes), end: Math.floor(rows.end * rowBytes) }
      : { start: 0, end: sizeBytes };
  }

  private place(name: string): Place {
    const place = this.places.get(name);
    if (place === undefined)
      throw new MoeError("unknown-tensor",
        `read: "${name}" is no weight of this model. ${suggest(name, [...this.places.keys()].slice(0, 200))}`);
    return place;
  }
}

function rowsOf({ name, rows }: Place): string {
  return `${name} ${rows?.start ?? 0}`;
}

function size(shape: number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
