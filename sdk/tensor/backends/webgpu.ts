import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../torch/engine-folder.js";
import type { Candidate, Started } from "./candidate.js";
import { quietly } from "./quietly.js";

const PACKAGES = ["webgpu", "@tensorflow/tfjs-backend-webgpu"] as const;

/** A process has one device; a second one would end it. */
let started: Started | undefined;

interface Adapter {
  info?: { vendor?: string; architecture?: string; description?: string; isFallbackAdapter?: boolean };
  isFallbackAdapter?: boolean;
  limits: Record<string, number>;
  features: { has(name: string): boolean };
  requestDevice(options: object): Promise<object>;
}

/**
 * A GPU through the packages `webgpu` and `@tensorflow/tfjs-backend-webgpu`, where the user has installed both.
 * An adapter that is software is taken only when asked for by name: it is slower than WebAssembly.
 */
export const webgpu: Candidate = {
  name: "webgpu",
  async start(asked) {
    if (started) {
      await tf.setBackend("webgpu");
      return started;
    }
    const dawn = await importIfThere(PACKAGES[0]);
    const backend = await importIfThere(PACKAGES[1]);
    if (!dawn || !backend) {
      const missing = PACKAGES.filter((_, i) => ![dawn, backend][i]).join(" ");
      return { ok: false, reason: `${missing.replace(" ", " and ")} not installed`,
        cure: `Where there is a GPU: npm install ${missing}.` };
    }
    Object.assign(globalThis, dawn.globals); // GPUBufferUsage and the like, which the back end expects to be global
    const gpu = (dawn.create as (flags: string[]) => { requestAdapter(options: object): Promise<Adapter | null> })([]);
    Object.defineProperty(globalThis, "navigator", {
      value: { ...(globalThis as { navigator?: object }).navigator, gpu },
      configurable: true,
    });
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter)
      return { ok: false, reason: "there is no WebGPU adapter",
        cure: "Install the driver of the GPU; on Linux it must offer Vulkan." };
    const software = isSoftware(adapter);
    if (software && !asked)
      return { ok: false, reason: `the only adapter is software (${software})`,
        cure: "MOELAB_BACKEND=webgpu takes it nevertheless." };
    const device = await adapter.requestDevice(deviceOptions(adapter));
    const WebGPUBackend = backend.WebGPUBackend as new(device: object, info: object) => tf.KernelBackend;
    tf.registerBackend("webgpu", () => new WebGPUBackend(device, adapter.info ?? {}), 3);
    if (!(await tf.setBackend("webgpu")))
      return { ok: false, reason: "the WebGPU back end does not start", cure: "Update the webgpu package." };
    return (started = { ok: true, device: software ? "cpu" : "gpu", version: String(backend.version) });
  },
};

/** A package and its version, as this project or the folder we run in has it. */
async function importIfThere(name: string): Promise<Record<string, unknown> | undefined> {
  for (const folder of [packageRoot(), process.cwd()]) {
    const require = createRequire(join(folder, "package.json"));
    let path: string;
    try {
      path = require.resolve(name);
    } catch {
      continue;
    }
    const { version } = require(`${name}/package.json`) as { version: string };
    return { ...(await quietly(() => import(pathToFileURL(path).href) as Promise<object>)), version };
  }
  return undefined;
}

function isSoftware(adapter: Adapter): string | undefined {
  const words = [adapter.info?.vendor, adapter.info?.architecture, adapter.info?.description].filter(Boolean).join(" ");
  const fallback = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  return fallback || /swiftshader|llvmpipe|lavapipe|software/i.test(words) ? words || "fallback adapter" : undefined;
}

/** the largest buffers that the adapter has: weights of an expert bank are one buffer */
function deviceOptions({ limits, features }: Adapter): object {
  const wanted = ["maxStorageBufferBindingSize", "maxBufferSize", "maxComputeWorkgroupStorageSize",
    "maxComputeWorkgroupsPerDimension", "maxComputeInvocationsPerWorkgroup"];
  return {
    requiredLimits: Object.fromEntries(wanted.map((name) => [name, limits[name]])),
    requiredFeatures: ["timestamp-query", "bgra8unorm-storage"].filter((name) => features.has(name)),
  };
}
