import type { Place } from "./place.js";

/** Weights that are written together: all of a tensor, or those of one expert's rows. */
export function blocks<T extends { place: Place }>(parts: readonly T[]): T[][] {
  const byRows = new Map<number, T[]>();
  for (const part of parts) {
    const start = part.place.rows?.start ?? 0;
    byRows.set(start, [...(byRows.get(start) ?? []), part]);
  }
  return [...byRows.values()];
}

/** The numbers of a block as they lie on disk: the inverse of `readPlace` for all weights of the block at once. */
export async function blockOf(parts: readonly { place: Place; values(): Promise<Float32Array> }[]): Promise<
  Float32Array
> {
  const [{ place, values }] = parts;
  if (parts.length === 1 && !place.pick)
    return place.transposed === undefined ? values() : transpose(await values(), place.transposed);
  const height = parts.reduce((sum, part) => sum + part.place.shape[0], 0);
  const width = place.shape.slice(1).reduce((product, length) => product * length, 1);
  const block = new Float32Array(height * width);
  for (const part of parts) {
    const { start, step } = part.place.pick!;
    const own = await part.values();
    for (let row = 0; row < part.place.shape[0]; row++)
      block.set(own.subarray(row * width, (row + 1) * width), (start + row * step) * width);
  }
  return place.transposed === undefined ? block : transpose(block, place.transposed);
}

/** [out, in] -> [in, out] */
function transpose(values: Float32Array, outputs: number): Float32Array {
  const inputs = values.length / outputs;
  const turned = new Float32Array(values.length);
  for (let o = 0; o < outputs; o++) for (let i = 0; i < inputs; i++) turned[i * outputs + o] = values[o * inputs + i];
  return turned;
}
