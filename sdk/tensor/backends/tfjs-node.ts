import * as tf from "@tensorflow/tfjs";
import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import type { Candidate, NotStarted } from "./candidate.js";
import { packageRoot } from "../torch/engine-folder.js";

/** TensorFlow with a GPU, where the user has installed it. */
export const tfjsNodeGpu: Candidate = {
  name: "tensorflow-gpu",
  async start() {
    const version = await load("@tensorflow/tfjs-node-gpu");
    if (typeof version !== "string") return version;
    const { isUsingGpuDevice } = tf.backend() as { isUsingGpuDevice?: boolean };
    if (!isUsingGpuDevice) return { ok: false, reason: "@tensorflow/tfjs-node-gpu loads, but sees no GPU", cure: "Check the driver and the CUDA libraries, or remove the package." };
    return { ok: true, device: "gpu", version };
  },
};

/** TensorFlow on the processor, where the user has installed it. */
export const tfjsNode: Candidate = {
  name: "tensorflow",
  async start() {
    const version = await load("@tensorflow/tfjs-node");
    return typeof version === "string" ? { ok: true, device: "cpu", version } : version;
  },
};

/** Loads one of the packages and makes its back end the active one; returns its version. */
async function load(name: string): Promise<string | NotStarted> {
  const require = [packageRoot(), process.cwd()].map((folder) => createRequire(join(folder, "package.json"))).find((require) => resolves(require, name));
  if (!require) return { ok: false, reason: `${name} is not installed`, cure: `Where there is a use for it: npm install ${name}.` };
  // TensorFlow's own messages would land in notebooks
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "3";
  // Node 23 removed two functions that these packages call
  const removed = util as unknown as Record<string, unknown>;
  removed.isNullOrUndefined ??= (x: unknown) => x === null || x === undefined;
  removed.isArray ??= Array.isArray;
  try {
    const { version } = require(name) as { version: Record<string, string> };
    await tf.setBackend("tensorflow");
    return version["tfjs-node"] ?? version["tfjs-core"];
  } catch (error) {
    const [firstLine] = (error as Error).message.split("\n");
    return { ok: false, reason: `${name} is installed, but does not load: ${firstLine}`, cure: `Reinstall it (npm rebuild ${name}), or remove it.` };
  }
}

function resolves(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(`${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}
