import * as tf from "@tensorflow/tfjs";
import type { Candidate } from "./candidate.js";
import { computes } from "./computes.js";
import { setFused } from "../fused.js";
import { registerTorch } from "../torch/register.js";

/** The project's own back end over libtorch, built by `npm run engine`. */
export const torch: Candidate = {
  name: "torch",
  async start() {
    const registration = await registerTorch();
    if (!registration.ok) return registration;
    if (!(await tf.setBackend("torch"))) return { reason: "the library does not start", cure: "Build it again: npx moelab engine build." };
    await computes();
    setFused(registration.fused);
    return { backend: "torch", device: "cpu", version: registration.version, fused: Object.keys(registration.fused) };
  },
};
