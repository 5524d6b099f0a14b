import type { Dtype } from "./dtype.js";

/** What a native back end calls the formats that it decodes faster than JavaScript does. */
const NAMES = { BF16: "bfloat16", F16: "float16", F8_E4M3: "float8_e4m3fn", F8_E5M2: "float8_e5m2" } as const;

export type NativeDecode = (bytes: Uint8Array, format: (typeof NAMES)[keyof typeof NAMES]) => Float32Array;

let native: NativeDecode | undefined;

/** Set when a back end becomes active that brings one, unset when another does. */
export function setNativeDecode(decode: NativeDecode | undefined): void {
  native = decode;
}

/** The bytes as float32 where the active back end decodes the format; same bits as in JavaScript. */
export function decodeNatively(bytes: Uint8Array, dtype: Dtype): Float32Array | undefined {
  // below this the call costs more than the work
  if (!native || bytes.length < 65_536 || !(dtype in NAMES)) return undefined;
  return native(bytes, NAMES[dtype as keyof typeof NAMES]);
}
