import type { Tensor } from "@tensorflow/tfjs-core";
import type { Dtype } from "../tensor/formats/dtype.js";
import type { NumberFormat, Parts } from "../tensor/formats/number-format.js";

export interface TensorInfo {
  dtype: Dtype;
  shape: number[];
  sizeBytes: number;
  /** how it is packed; absent: plain numbers of `dtype`. `sizeBytes` counts scales, zeros and masks, too */
  format?: NumberFormat;
}

/**
 * Where numbers come from: canonical names, read on demand, never all at once.
 * A read returns a fresh float32 tensor that the caller disposes.
 */
export interface WeightSource {
  names(): Iterable<string>;
  has(name: string): boolean;
  /** @throws MoeError `unknown-tensor` */
  info(name: string): TensorInfo;
  read(name: string): Promise<Tensor>;
  /** the same as plain numbers, for work outside the engine */
  values(name: string): Promise<Float32Array>;
  /** some rows of the first axis alone; absent or undefined where only the whole can be had */
  rows?(name: string, rows: { start: number; end: number }): Promise<Float32Array> | undefined;
  /**
   * as they are stored, in the number format of `info`, all or some rows, in `into` if they can be read there; absent
   * or undefined where there are only numbers
   */
  bytes?(name: string, rows?: { start: number; end: number }, into?: Uint8Array): Promise<Uint8Array> | undefined;
  /** the parts of a packed weight, as `info().format` has them; absent or undefined where it is not packed */
  parts?(name: string): Promise<Parts<Uint8Array>> | undefined;
  /** most bytes held while the values of a weight are read, with the values; absent or undefined: the values alone */
  peakReadBytes?(name: string): number | undefined;
  /** sha256 over names, shapes, dtypes and content; stable over machines */
  fingerprint(): Promise<string>;
  /** gives files back; a later read opens them again */
  close(): Promise<void>;
}
