import type { Rng } from "../tensor/index.js";
import { expectedTensors } from "./expected-tensors.js";
import { MemorySource } from "./memory-source.js";
import type { ModelSpec } from "./spec.js";

/**
 * Random weights for a spec: gains 1, biases 0, embeddings from N(0, 1), the router from N(0, 1/D), every other matrix
 * [out, in] from N(0, gain/in) with the normal cut at two standard deviations (Switch, section 2.4, uses gain 0.1
 * for stability at scale; small models train faster at 1).
 *
 * @param gain variance times fan-in of the matrices; default 1
 */
export function initialize(spec: ModelSpec, rng: Rng, gain = 1): MemorySource {
  const D = spec.width;
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const { name, shape, start } of expectedTensors(spec)) {
    const values = new Float32Array(shape.reduce((product, n) => product * n, 1));
    if (start !== undefined) values.fill(start);
    else if (name.endsWith(".s.rows")) values.forEach((_, row) => (values[row] = row));
    else {
      const scaled = /(^|\.)(embed|position|tokenType)$/.test(name)
        ? 1
        : name.endsWith("relativeBias")
        ? 0.01
        : name.endsWith("router")
        ? 1 / D
        : gain / shape[shape.length - 1];
      const deviation = Math.sqrt(scaled);
      const own = rng.fork(name);
      for (let i = 0; i < values.length; i++) values[i] = deviation * cutNormal(own);
    }
    tensors.set(name, { shape, values });
  }
  return new MemorySource(tensors);
}

function cutNormal(rng: Rng): number {
  for (;;) {
    const x = rng.normal();
    if (Math.abs(x) <= 2) return x;
  }
}
