import * as tf from "@tensorflow/tfjs";
import type { Candidate } from "./candidate.js";
import { computes } from "./computes.js";
import { fused } from "../fused.js";

// a variable, because the folder may be absent
const registration = "../torch/register.js";

/** The project's own back end over libtorch, built by `npm run engine`. */
export const torch: Candidate = {
  name: "torch",
  async start() {
    const { registerTorch } = await import(registration);
    await registerTorch();
    if (!(await tf.setBackend("torch"))) return { reason: "the library does not start", cure: "Build it again: npm run engine." };
    await computes();
    return { backend: "torch", device: "cpu", version: "", fused: Object.keys(fused) };
  },
};
