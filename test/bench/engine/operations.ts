// Single operations of the torch engine, best of many repeats; last line as JSON. GF/s for products, us for small ones.
// usage: node --import tsx test/bench/engine/operations.ts
import { ready, tf } from "../../../sdk/tensor/index.js";
import { assign, eigh, matrix, svd } from "../../../sdk/tensor/linalg/index.js";
import { Rng } from "../../../sdk/tensor/rng.js";
import { registerTorch } from "../../../sdk/tensor/torch/register.js";

await ready({ backend: "torch" });
const registration = await registerTorch();
const rng = new Rng(1);
const random = (...shape: number[]) => tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()), shape);

/** Shortest time in milliseconds of a call, over at least `repeats` calls. */
function best(work: () => void, repeats = 20): number {
  let least = Infinity;
  for (let i = 0; i < repeats; i++) {
    const started = performance.now();
    work();
    least = Math.min(least, performance.now() - started);
  }
  return least;
}
const results: Record<string, number> = {};
const product = (name: string, a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false) => {
  const flops = 2 * a.size * (transposeB ? b.shape[b.rank - 2] : b.shape[b.rank - 1])!;
  results[`${name}, GF/s`] = Math.round(flops / best(() => tf.matMul(a, b, transposeA, transposeB).dispose()) / 1e6);
  tf.dispose([a, b]);
};
for (const n of [256, 512, 1024, 2048]) product(`matmul ${n}`, random(n, n), random(n, n));
product("matmul 1024, a transposed", random(1024, 1024), random(1024, 1024), true);
product("matmul 1024, b transposed", random(1024, 1024), random(1024, 1024), false, true);
product("matmul [8,256,256]", random(8, 256, 256), random(8, 256, 256));
product("matmul [8,256,256], b transposed", random(8, 256, 256), random(8, 256, 256), false, true);
product("matmul [64,64,32] x its like, b transposed", random(64, 64, 32), random(64, 64, 32), false, true);

const [small, other] = [random(8), random(8)];
results["add of 8 numbers through TensorFlow.js, us"] = +(best(() => { for (let i = 0; i < 1000; i++) tf.add(small, other).dispose(); })).toFixed(2);
const copy = random(64 << 20 >> 2);
results["memory bandwidth of a copy, GB/s"] = +(2 * 64e6 / best(() => tf.mul(copy, 1).dispose(), 10) / 1e6).toFixed(1);

const square = (n: number) => matrix(Float64Array.from({ length: n * n }, () => rng.normal()), n, n);
const large = square(1024);
results["svd 1024, ms"] = Math.round(best(() => svd(large), 2));
results["eigh 1024, ms"] = Math.round(best(() => eigh({ ...large, data: large.data.map((x, at) => x + large.data[(at % 1024) * 1024 + Math.floor(at / 1024)]) }), 2));
for (const n of [1024, 3072]) {
  const score = square(n).data;
  results[`assignment ${n}, ms`] = Math.round(best(() => assign(score, n, { maximize: true }), 2));
}
if (registration.ok) {
  const bytes = new Uint8Array(256e6).fill(63);
  results["bf16 to f32, GB/s read"] = +(bytes.length / best(() => registration.toFloat32(bytes, "bfloat16"), 3) / 1e6).toFixed(2);
}
console.log(JSON.stringify(results));
