import * as tf from "@tensorflow/tfjs-core";
import { replaceWasmKernels } from "../wasm.js";
import { startWasmFilling } from "../wasm/filling.js";
import type { Candidate } from "./candidate.js";

/** WebAssembly with its slow kernels replaced. */
export const wasm: Candidate = {
  name: "wasm",
  async start() {
    const { version_wasm } = await import("@tensorflow/tfjs-backend-wasm");
    if (!(await tf.setBackend("wasm")))
      return { ok: false, reason: "the WebAssembly module does not start",
        cure: "Use a Node that is not older than 20.19." };
    replaceWasmKernels();
    return { ok: true, device: "cpu", version: version_wasm, startFilling: startWasmFilling };
  },
};
