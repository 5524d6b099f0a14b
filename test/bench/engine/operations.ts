// Matrix products in every form, a tiny operation, memory; best of many calls. Last line as JSON: what is larger is better.
// usage: node --import tsx test/bench/engine/operations.ts     (beside it: operations.py)
import { ready, tf } from "../../../sdk/tensor/index.js";
import { Rng } from "../../../sdk/tensor/rng.js";
import { fillTensor } from "../../../sdk/tensor/filling.js";
import { best } from "./best.js";

const { backend, version } = await ready();
const rng = new Rng(1);
const random = (...shape: number[]) => tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()), shape);
const results: Record<string, number> = {};
const product = (name: string, a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false) => {
  const rows = a.shape[a.rank - (transposeA ? 1 : 2)]!, inner = a.shape[a.rank - (transposeA ? 2 : 1)]!, columns = b.shape[b.rank - (transposeB ? 2 : 1)]!;
  const batch = Math.max(a.size / (rows * inner), b.size / (inner * columns));
  results[`${name}, GF/s`] = (2 * batch * rows * inner * columns) / best(() => tf.matMul(a, b, transposeA, transposeB).dispose(), 150) / 1e6;
  tf.dispose([a, b]);
};
for (const n of [256, 512, 1024, 2048]) product(`nn ${n}`, random(n, n), random(n, n));
for (const n of [512, 1024]) {
  product(`nt ${n}`, random(n, n), random(n, n), false, true);
  product(`tn ${n}`, random(n, n), random(n, n), true);
  product(`tt ${n}`, random(n, n), random(n, n), true, true);
}
product("batched nn [8,256,256]", random(8, 256, 256), random(8, 256, 256));
product("batched nt [8,256,256]", random(8, 256, 256), random(8, 256, 256), false, true);
product("batched tn [8,256,256]", random(8, 256, 256), random(8, 256, 256), true);
product("batched tt [8,256,256]", random(8, 256, 256), random(8, 256, 256), true, true);
product("attention nt [64,64,32]", random(64, 64, 32), random(64, 64, 32), false, true);
product("broadcast [8,256,256] x [256,256]", random(8, 256, 256), random(256, 256));
product("broadcast [256,256] x [8,256,256]", random(256, 256), random(8, 256, 256));
product("vector [1,2048] x [2048,2048]", random(1, 2048), random(2048, 2048));
product("vector [2048,2048] x [2048,1]", random(2048, 2048), random(2048, 1));

const [small, other] = [random(8), random(8)];
results["tiny add, per ms"] = 100 / best(() => { for (let i = 0; i < 100; i++) tf.add(small, other).dispose(); }, 1000);
const copy = random((64 << 20) / 4);
results["copy, GB/s read and written"] = (2 * copy.size * 4) / best(() => tf.mul(copy, 1).dispose(), 200) / 1e6;
// into a tensor, as checkpoints are read
const bytes = new Uint8Array(256e6).fill(63);
results["bf16 to f32, GB/s read"] = bytes.length / best(() => {
  const tensor = fillTensor([bytes.length / 2]);
  tensor.put(0, bytes, "BF16");
  tensor.done().dispose();
}, 500) / 1e6;
console.log(JSON.stringify({ backend, version, results }));
