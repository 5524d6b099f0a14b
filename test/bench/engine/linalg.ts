// SVD, eigenvalues and exact assignment; per second, so that larger is better. Last line as JSON.
// usage: node --import tsx test/bench/engine/linalg.ts 1024 3072     (beside it: linalg.py)
import { ready } from "../../../sdk/tensor/index.js";
import { assign, eigh, matrix, product, svd, transposed } from "../../../sdk/tensor/linalg/index.js";
import { Rng } from "../../../sdk/tensor/rng.js";
import { best } from "./best.js";

const { backend, version } = await ready();
const results: Record<string, number> = {};
for (const n of process.argv.slice(2).map(Number)) {
  const rng = new Rng(1);
  const normal = (rows: number, columns: number) =>
    matrix(Float64Array.from({ length: rows * columns }, () => rng.normal()), rows, columns);
  const a = normal(n, n);
  const flipped = transposed(a).data;
  const symmetric = { ...a, data: (a.data as Float64Array).map((x, at) => x + flipped[at]) };
  const neurons = normal(n, 64);
  const moved = normal(n, 64);
  const scores = {
    random: Float32Array.from(a.data),
    // weights of two experts of which one began as the other
    weights: Float32Array.from(
      product(neurons, transposed({ ...moved, data: (moved.data as Float64Array).map((x, at) =>
        x + neurons.data[at]
      ) })).data,
    ),
  };
  for (const [name, score] of Object.entries(scores))
    results[`assignment of ${name} ${n}, per s`] = 1e3 / best(() => assign(score, n, { maximize: true }), 500);
  const forMs = n > 2000 ? 0 : 1000;
  results[`svd ${n}, per s`] = 1e3 / best(() => svd(a), forMs);
  results[`eigh ${n}, per s`] = 1e3 / best(() => eigh(symmetric), forMs);
}
console.log(JSON.stringify({ backend, version, results }));
