import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import util from "node:util";
import { packageRoot } from "../torch/engine-folder.js";
import type { Candidate, NotStarted } from "./candidate.js";
import { quietly } from "./quietly.js";
import { shimUtil } from "./shim-util.js";
import { tryApart } from "./try-apart.js";

/** TensorFlow with a GPU, where the user has installed it. */
export const tfjsNodeGpu: Candidate = {
  name: "tensorflow-gpu",
  async start() {
    const version = await load("@tensorflow/tfjs-node-gpu");
    if (typeof version !== "string") return version;
    const { isUsingGpuDevice } = tf.backend() as { isUsingGpuDevice?: boolean };
    if (!isUsingGpuDevice)
      return { ok: false, reason: "@tensorflow/tfjs-node-gpu loads, but sees no GPU",
        cure: "Check the driver and the CUDA libraries, or remove the package." };
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

/**
 * Loads one of the packages, after it has proved itself in a process of its own, and makes its back end the active one;
 * returns its version.
 */
async function load(name: string): Promise<string | NotStarted> {
  const found = find(name);
  if (!found)
    return { ok: false, reason: `${name} is not installed`, cure: `Where there is a use for it: npm install ${name}.` };
  const refused = (why: string): NotStarted => ({ ok: false, reason: `${name} is installed, but does not load: ${why}`,
    cure: `Reinstall it (npm rebuild ${name}), or remove it.` });
  const problem = tryApart(found.folder);
  if (problem) return refused(problem);
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "3";
  shimUtil(util);
  try {
    const { version } = quietly(() => found.require(name)) as { version: Record<string, string> };
    if (!(await tf.setBackend("tensorflow"))) return refused("its back end does not start");
    return version["tfjs-node"] ?? version["tfjs-core"];
  } catch (error) {
    return refused(String((error as Error)?.message ?? error).split("\n")[0]);
  }
}

/** The package as this project or the folder we run in has it. */
function find(name: string): { require: NodeJS.Require; folder: string } | undefined {
  for (const place of [packageRoot(), process.cwd()]) {
    const require = createRequire(join(place, "package.json"));
    try {
      return { require, folder: dirname(require.resolve(`${name}/package.json`)) };
    } catch {
      continue;
    }
  }
  return undefined;
}
