import * as tf from "@tensorflow/tfjs-core";
import type { Candidate } from "./candidate.js";

/** The project's own back end over libtorch, built by `npm run engine`. */
export const torch: Candidate = {
  name: "torch",
  async start() {
    const { registerTorch } = await import("../torch/register.js");
    const registration = await registerTorch();
    if (!registration.ok) return registration;
    if (!(await tf.setBackend("torch")))
      return { ok: false, reason: "the library does not start", cure: "Build it again: npx moelab engine build." };
    return registration;
  },
};
