import { FormatError } from "../../errors.js";
import type { TensorInfo } from "../../model/weight-source.js";
import type { NumberFormat, Parts } from "../../tensor/formats/number-format.js";

/** `quantization_config` of config.json, with `formats` of its `moelab` entry; {} where there are none. */
export type Settings = Readonly<Record<string, unknown>>;

/**
 * How other software lays a packed weight out in a file: several tensors whose names begin alike. One file each beside
 * this one, in the table of `layouts.ts`.
 */
export interface Layout {
  /** in words, for errors */
  name: string;
  /** ending of the tensor that shows it */
  key: string;
  /** what the weight's own name ends with in place of that */
  weight: string;
  /** endings of the tensors that it needs, the key among them, in the order of its bytes */
  parts: readonly string[];
  /** endings of those that it may have */
  optional?: readonly string[];
  /** endings of settings that nobody reads here; "^" stands for the beginning of the name without ".weight" */
  beside?: readonly string[];
  /** whether tensors with these endings are of this layout; absent: they are */
  accepts?(tensors: Parts<TensorInfo>, settings: Settings): boolean;
  /**
   * @param tensors those that there are, by their endings
   * @param read all bytes of one, for what shapes do not say
   * @param name of the weight
   * @throws what `bad` gives
   */
  describe(
    tensors: Parts<TensorInfo>,
    settings: Settings,
    read: (ending: string) => Promise<Uint8Array>,
    name: string,
  ): PackedWeight | Promise<PackedWeight>;
}

export interface PackedWeight {
  shape: number[];
  format: NumberFormat;
  /** tensors whose first axis goes with that of the weight, `unit` of its rows at least at a time; absent: none does */
  byRows?: { unit: number; parts: readonly string[] };
  /**
   * @param bytes of all tensors, of those in `byRows` the rows that belong to `shape` alone
   * @param shape of the weight, or of these rows of it
   */
  values(bytes: Parts<Uint8Array>, shape: readonly number[]): Float32Array;
  /** the whole as the parts of the format's codec, where they are the same codes and scales */
  parts?(bytes: Parts<Uint8Array>): Parts<Uint8Array>;
}

/** A fault of a packed weight; who reads it knows its name. */
export function bad(seen: string, accepted: string): FormatError {
  return new FormatError("packed",
    `load: ${seen}; accepted is ${accepted}. Check that all tensors are of one revision.`);
}

/** @throws FormatError `packed` for another dtype or shape; -1 is any length */
export function requireShape(
  tensors: Parts<TensorInfo>,
  ending: string,
  dtypes: readonly string[],
  ...shapes: readonly (readonly number[])[]
): void {
  const { dtype, shape } = tensors[ending];
  const fits = shapes.some((asked) =>
    asked.length === shape.length && asked.every((length, axis) => length === -1 || length === shape[axis])
  );
  if (fits && dtypes.includes(dtype)) return;
  const wanted = shapes.map((asked) => `[${asked.map((length) => (length === -1 ? "any" : length))}]`).join(" or ");
  throw bad(`${ending} is ${dtype} [${shape}]`, `${dtypes.join(" or ")} ${wanted}`);
}

export const FLOATS = ["F16", "BF16", "F32"] as const;
