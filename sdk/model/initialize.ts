import { MoeError } from "../errors.js";
import type { Rng } from "../tensor/index.js";
import type { ExpectedTensor } from "./expected-tensor.js";
import { expectedTensors } from "./expected-tensors.js";
import { MemorySource } from "./memory-source.js";
import type { ModelSpec } from "./spec.js";

/**
 * How weights start: a number is the standard deviation of normal numbers around 0, `constant` the value of all,
 * `log` the logarithm of uniform numbers below `below` or, with "index", of 1, 2, … along the last axis.
 */
export type Start = number | { constant: number } | { log: "index" } | { log: { below: number } };

/**
 * Starts by the end of canonical names without their numbers ("experts.up" or "up"; the longest that fits counts); ""
 * is for all that have no fixed start, as norms and biases have.
 */
export type Initializer = Record<string, Start>;

/**
 * Random weights for a spec.
 *
 * @param how an initialiser, e.g. a family's; or a gain: the router from N(0, 1/D), embeddings from N(0, 1) or, where
 *   the head shares them unscaled, so that the first logits have variance 1, every other matrix [out, in] from
 *   N(0, gain/in) with the normal cut at two standard deviations (Switch, section 2.4, uses gain 0.1 for stability at
 *   scale; small models train faster at 1)
 */
export function initialize(spec: ModelSpec, rng: Rng, how: number | Initializer = 1): MemorySource {
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const tensor of expectedTensors(spec)) {
    const { name, shape, start } = tensor;
    const values = memory(name, shape);
    const own = typeof how === "number" ? undefined : startOf(name, how);
    if (own !== undefined) begin(values, own, shape, rng.fork(name));
    else if (start !== undefined) values.fill(start);
    else if (tensor.index) values.forEach((_, row) => (values[row] = row));
    else if (typeof how === "number") {
      const deviation = Math.sqrt(variance(tensor, spec, how));
      const draws = rng.fork(name);
      for (let i = 0; i < values.length; i++) values[i] = deviation * cutNormal(draws);
    } else begin(values, how[""], shape, rng.fork(name));
    tensors.set(name, { shape, values });
  }
  return new MemorySource(tensors);
}

function memory(name: string, shape: readonly number[]): Float32Array {
  try {
    return new Float32Array(shape.reduce((product, n) => product * n, 1));
  } catch (cause) {
    throw new MoeError("out-of-memory",
      `create: ${name} of shape [${shape}] does not fit into memory; accepted is a model that does. Make it smaller.`, {
      cause,
    });
  }
}

function startOf(name: string, how: Initializer): Start | undefined {
  const parts = name.split(".").filter((part) => !/^\d+$/.test(part));
  const found = parts.map((_, i) => parts.slice(i).join(".")).find((end) => Object.hasOwn(how, end));
  return found === undefined ? undefined : how[found];
}

function begin(values: Float32Array, start: Start, shape: readonly number[], rng: Rng): void {
  const last = shape[shape.length - 1];
  for (let i = 0; i < values.length; i++) {
    if (typeof start === "number") values[i] = start * rng.normal();
    else if ("constant" in start) values[i] = start.constant;
    else values[i] = Math.log(start.log === "index" ? 1 + (i % last) : start.log.below * (1 - rng.next()));
  }
}

function variance({ name, shape }: ExpectedTensor, { width: D, head }: ModelSpec, gain: number): number {
  if (/(^|\.)(embed|position|tokenType)$/.test(name)) return head.tied && head.scale === 1 ? 1 / D : 1;
  if (name.endsWith("relativeBias")) return 0.01;
  return (name.endsWith("router") ? 1 : gain) / shape[shape.length - 1];
}

function cutNormal(rng: Rng): number {
  for (;;) {
    const x = rng.normal();
    if (Math.abs(x) <= 2) return x;
  }
}
