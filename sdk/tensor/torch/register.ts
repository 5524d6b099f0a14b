import * as tf from "@tensorflow/tfjs-core";
import os from "node:os";
import { MoeError } from "../../errors.js";
import type { StartFilling } from "../filling.js";
import type { FusedOps } from "../fused.js";
import type { NativeLinalg } from "../linalg/native.js";
import { TorchBackend } from "./backend.js";
import { registerFallbacks } from "./cpu-fallback.js";
import { chooseDevice } from "./device.js";
import { addonPath, findEngine, installedVersion } from "./engine-folder.js";
import { startFilling } from "./filling.js";
import { fusedOps } from "./fused/fused-ops.js";
import { registerKernels } from "./kernel.js";
import { complex } from "./kernels/complex.js";
import { convolution } from "./kernels/convolution.js";
import { elementwise } from "./kernels/elementwise.js";
import { indexing } from "./kernels/indexing.js";
import { layout } from "./kernels/layout.js";
import { products } from "./kernels/products.js";
import { reductions } from "./kernels/reductions.js";
import { nativeLinalg } from "./linalg.js";
import { loadNative } from "./native.js";
import { type ToFloat32, toFloat32 } from "./to-float32.js";

export type TorchRegistration =
  | { ok: true; name: "torch"; device: "cpu" | "gpu"; version: string; fused: Partial<FusedOps>; linalg: NativeLinalg;
    toFloat32: ToFloat32; startFilling: StartFilling }
  | { ok: false; reason: string; cure: string };

let registered: TorchRegistration | undefined;

/**
 * Loads the engine, if one was built, and registers the TensorFlow.js back end "torch" with all its kernels.
 * Never throws and never makes it the active one; a second call gives the first one's answer.
 */
export async function registerTorch(): Promise<TorchRegistration> {
  registered ??= register();
  return registered;
}

/** registerTorch without a promise. */
export function register(): TorchRegistration {
  const engine = findEngine();
  if (!engine)
    return { ok: false, reason: "no engine was built for this platform",
      cure: "Build it once: npx moelab engine build (in a clone: npm run engine)." };
  const { installed, torch: version } = engine.manifest;
  const now = installed ? installedVersion(installed) : version;
  if (now !== version)
    return { ok: false,
      reason: `the engine was built against PyTorch ${version} in ${installed}, which is ${now ?? "gone"} now`,
      cure: "Build it again: npx moelab engine build --torch PYTHON." };
  try {
    const native = loadNative(addonPath(engine.folder));
    native.keepHeap();
    native.memoryLimit(memoryLimit());
    const device = chooseDevice(process.env.MOELAB_DEVICE, native.useDevice(""));
    native.useDevice(device);
    const torch = new TorchBackend(native, device);
    registerKernels(torch, [elementwise, reductions, layout, indexing, products, convolution, complex]);
    registerFallbacks(torch);
    tf.registerBackend("torch", () => torch, 4);
    return { ok: true, name: "torch", device: device === "cpu" ? "cpu" : "gpu", version, fused: fusedOps(torch),
      linalg: nativeLinalg(native), toFloat32: toFloat32(native), startFilling: startFilling(torch) };
  } catch (error) {
    if (error instanceof MoeError) return { ok: false, reason: error.message, cure: "Or unset MOELAB_DEVICE." };
    return { ok: false, reason: `the engine in ${engine.folder} does not load: ${(error as Error).message}`,
      cure: "Build it again: npx moelab engine build (in a clone: npm run engine)." };
  }
}

/** What tensors may take: the memory of the machine or of the container, less a tenth for everything else. */
function memoryLimit(): number {
  const container = (process as { constrainedMemory?: () => number }).constrainedMemory?.() || Infinity;
  return 0.9 * Math.min(os.totalmem(), container);
}
