import * as tf from "@tensorflow/tfjs";
import type { Candidate } from "./candidate.js";
import { computes } from "./computes.js";

/** Plain JavaScript: always there, slow. */
export const cpu: Candidate = {
  name: "cpu",
  async start() {
    await tf.setBackend("cpu");
    // the back end's advice to install another one, printed at the first operation, would land in notebooks
    (tf.backend() as { firstUse?: boolean }).firstUse = false;
    await computes();
    return { backend: "cpu", device: "cpu", version: tf.version_core, fused: [] };
  },
};
