import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { repairCpuKernels } from "../cpu.js";
import type { Candidate } from "./candidate.js";

/** Plain JavaScript: always there, slow. */
export const cpu: Candidate = {
  name: "cpu",
  async start() {
    await tf.setBackend("cpu");
    repairCpuKernels();
    return { ok: true, device: "cpu", version: tf.version_core };
  },
};
