import type { TensorStore } from "./tensor-store.js";

/**
 * The numbers of a tensor without rounding: float32 holds neither F64 nor 32 and 64-bit integers.
 *
 * @returns Float64Array of F64, I32, U32; BigInt64Array of I64; BigUint64Array of U64; Float32Array of the others,
 *   which it holds
 */
export async function exactValues(
  store: TensorStore,
  name: string,
): Promise<Float32Array | Float64Array | BigInt64Array | BigUint64Array> {
  const { dtype } = store.info(name);
  if (!["F64", "I64", "U64", "I32", "U32"].includes(dtype)) return store.values(name);
  const { buffer } = await store.bytes(name); // fresh memory that begins aligned
  switch (dtype) {
    case "F64":
      return new Float64Array(buffer);
    case "I64":
      return new BigInt64Array(buffer);
    case "U64":
      return new BigUint64Array(buffer);
    case "I32":
      return Float64Array.from(new Int32Array(buffer));
    default:
      return Float64Array.from(new Uint32Array(buffer));
  }
}
