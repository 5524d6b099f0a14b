import { MoeError } from "../errors.js";
import { dtypeSizeBytes } from "../tensor/formats/dtype-size.js";
import type { Dtype } from "../tensor/formats/dtype.js";

export interface TensorToWrite {
  name: string;
  dtype: Dtype;
  shape: readonly number[];
}

/** A tensor with its place; `start` counts from the first byte of the data. */
export type PlacedTensor = TensorToWrite & { start: number; sizeBytes: number };

/**
 * Gives each tensor its place: wide types first, so that every tensor begins at a multiple of its element size
 * (readers map the file into memory), the given order within a type size.
 */
export function layOut(tensors: readonly TensorToWrite[]): PlacedTensor[] {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    if (name === "__metadata__")
      throw new MoeError("reserved-name",
        `save: a tensor is named "__metadata__", which the format keeps for itself; accepted is any other `
          + "name. Rename it.");
    if (seen.has(name))
      throw new MoeError("duplicate-name",
        `save: tensor "${name}" is announced twice; accepted is each name once. Rename one.`);
    seen.add(name);
  }
  const placed = tensors.map((tensor) => ({ ...tensor, start: 0, sizeBytes: tensorSizeBytes(tensor) }));
  placed.sort((a, b) => elementBytes(b) - elementBytes(a));
  let start = 0;
  for (const tensor of placed) {
    tensor.start = start;
    start += tensor.sizeBytes;
  }
  return placed;
}

/** The 8 bytes of the length and the JSON, padded with spaces so that the data begins at a multiple of 8. */
export function encodeHeader(tensors: readonly PlacedTensor[], metadata: Record<string, string>): Uint8Array {
  const entries = tensors.map(({ name, dtype, shape, start, sizeBytes }) =>
    `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [start, start + sizeBytes] })}`
  );
  if (Object.keys(metadata).length > 0) entries.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = new TextEncoder().encode(`{${entries.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return header;
}

export function tensorSizeBytes({ shape, ...tensor }: TensorToWrite): number {
  return shape.reduce((product, length) => product * length, elementBytes(tensor));
}

function elementBytes({ name, dtype }: Pick<TensorToWrite, "name" | "dtype">): number {
  const bytes = dtypeSizeBytes[dtype];
  if (bytes === undefined)
    throw new MoeError("dtype",
      `save: tensor "${name}" has dtype ${dtype}; accepted are ${Object.keys(dtypeSizeBytes).join(", ")}. Convert it.`);
  return bytes;
}
