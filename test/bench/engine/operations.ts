// Matrix products in every form, a tiny operation, memory; best of many calls. What is larger is better.
// Prints its cases as JSON, then answers each line of input, the name of a case, with its number: run.mjs asks it and
// operations.py in turns. usage: echo "nn 512, GF/s" | node --import tsx test/bench/engine/operations.ts
import { createInterface } from "node:readline";
import { fillTensor } from "../../../sdk/tensor/filling.js";
import { ready, tf } from "../../../sdk/tensor/index.js";
import { best } from "./best.js";

const { backend, version } = await ready();
// made on the device: V8 would collect the garbage of a JavaScript array on the core that computes
const some = (...shape: number[]) => tf.fill(shape, 0.5);
const cases: Record<string, () => number> = {};
const product = (name: string, left: number[], right: number[], transposeA = false, transposeB = false) => {
  cases[`${name}, GF/s`] = () => {
    const [a, b] = [some(...left), some(...right)];
    const rows = left[left.length - (transposeA ? 1 : 2)]!, inner = left[left.length - (transposeA ? 2 : 1)]!,
      columns = right[right.length - (transposeB ? 2 : 1)]!;
    const batch = Math.max(a.size / (rows * inner), b.size / (inner * columns));
    const ms = best(() => tf.matMul(a, b, transposeA, transposeB).dispose(), 50);
    tf.dispose([a, b]);
    return (2 * batch * rows * inner * columns) / ms / 1e6;
  };
};
for (const n of [256, 512, 1024, 2048]) product(`nn ${n}`, [n, n], [n, n]);
for (const n of [512, 1024]) {
  product(`nt ${n}`, [n, n], [n, n], false, true);
  product(`tn ${n}`, [n, n], [n, n], true);
  product(`tt ${n}`, [n, n], [n, n], true, true);
}
product("batched nn [8,256,256]", [8, 256, 256], [8, 256, 256]);
product("batched nt [8,256,256]", [8, 256, 256], [8, 256, 256], false, true);
product("batched tn [8,256,256]", [8, 256, 256], [8, 256, 256], true);
product("batched tt [8,256,256]", [8, 256, 256], [8, 256, 256], true, true);
product("attention nt [64,64,32]", [64, 64, 32], [64, 64, 32], false, true);
product("broadcast [8,256,256] x [256,256]", [8, 256, 256], [256, 256]);
product("broadcast [256,256] x [8,256,256]", [256, 256], [8, 256, 256]);
product("vector [1,2048] x [2048,2048]", [1, 2048], [2048, 2048]);
product("vector [2048,2048] x [2048,1]", [2048, 2048], [2048, 1]);
cases["tiny add, per ms"] = () => {
  const [small, other] = [some(8), some(8)];
  return 1 / best(() => tf.add(small, other).dispose(), 100);
};
cases["copy, GB/s read and written"] = () => {
  const copy = tf.zeros([(64 << 20) / 4]);
  const ms = best(() => tf.mul(copy, 1).dispose(), 50);
  copy.dispose();
  return (2 * copy.size * 4) / ms / 1e6;
};
// into a tensor, as checkpoints are read
cases["bf16 to f32, GB/s read"] = () => {
  const bytes = new Uint8Array(256e6).fill(63);
  return bytes.length / best(() => {
    const tensor = fillTensor([bytes.length / 2]);
    tensor.put(0, bytes, "BF16");
    tensor.done().dispose();
  }, 100) / 1e6;
};

console.log(JSON.stringify({ backend, version, cases: Object.keys(cases) }));
for await (const name of createInterface({ input: process.stdin })) console.log(JSON.stringify(cases[name]!()));
