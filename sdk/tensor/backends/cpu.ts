import * as tf from "@tensorflow/tfjs";
import { repairCpuKernels } from "../cpu.js";
import type { Candidate } from "./candidate.js";

/** Plain JavaScript: always there, slow. */
export const cpu: Candidate = {
  name: "cpu",
  async start() {
    await tf.setBackend("cpu");
    repairCpuKernels();
    // the back end's advice to install another one, printed at the first operation, would land in notebooks
    (tf.backend() as { firstUse?: boolean }).firstUse = false;
    return { ok: true, device: "cpu", version: tf.version_core };
  },
};
