import type { TensorInfo } from "../model/weight-source.js";
import type { Parts } from "../tensor/formats/number-format.js";

/** A half-open range: `end` is not part of it. */
export interface Range {
  start: number;
  end: number;
}

/** Tensors of a checkpoint by the names on disk. Headers are in memory, data is read on demand. */
export interface TensorStore {
  names(): Iterable<string>;
  has(name: string): boolean;
  /** the store's own string of a name that it has: whoever keeps names keeps these, so that there is one of each */
  own?(name: string): string;
  /** @throws MoeError `unknown-tensor` */
  info(name: string): TensorInfo;
  /**
   * Bytes as stored. @param range counts from the tensor's first byte @param into memory that may be read into, instead
   * of fresh one
   */
  bytes(name: string, range?: Range, into?: Uint8Array): Promise<Uint8Array>;
  /** Numbers as float32. @param rows of the first axis: only their bytes are read */
  values(name: string, rows?: Range): Promise<Float32Array>;
  /** reads a packed weight's parts as its format's codec has them; undefined where they cannot be had */
  parts?(name: string): (() => Promise<Parts<Uint8Array>>) | undefined;
  /** `__metadata__` of the file, of all files together if the checkpoint is sharded */
  readonly metadata: Readonly<Record<string, string>>;
  /** bytes read so far by name: what a way of working costs */
  readonly readBytes?: ReadonlyMap<string, number>;
  close(): Promise<void>;
}
