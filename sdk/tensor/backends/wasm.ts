import * as tf from "@tensorflow/tfjs";
import type { Candidate } from "./candidate.js";
import { computes } from "./computes.js";
import { replaceWasmKernels } from "../wasm.js";

/** WebAssembly with its slow kernels replaced. */
export const wasm: Candidate = {
  name: "wasm",
  async start() {
    const { version_wasm } = await import("@tensorflow/tfjs-backend-wasm");
    if (!(await tf.setBackend("wasm"))) return { reason: "the WebAssembly module does not start", cure: "Use a Node that is not older than 20.19." };
    replaceWasmKernels();
    await computes();
    return { backend: "wasm", device: "cpu", version: version_wasm, fused: [] };
  },
};
