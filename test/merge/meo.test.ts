// The paper's formulas once more, in plain numbers: W = sum_i g_i W_i over the chosen experts, y = W x (arXiv:2310.09832).
import { test } from "uvu";
import * as assert from "uvu/assert";
import { moe, moeLayers } from "../../sdk/index.js";
import { meo } from "../../sdk/merge/meo.js";
import { MemorySource } from "../../sdk/model/memory-source.js";
import { Model } from "../../sdk/model/model.js";
import { Rng } from "../../sdk/tensor/index.js";
import { useBackend } from "../support/backends.js";

test.before(() => useBackend("wasm"));

type Matrix = number[][];
const times = (w: Matrix, x: number[]): number[] => w.map((row) => row.reduce((sum, one, at) => sum + one * x[at], 0));
const softmax = (values: number[]): number[] => {
  const powers = values.map((one) => Math.exp(one - Math.max(...values)));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((one) => one / total);
};
/** the K largest, the lower index first among equals */
const largest = (values: number[], K: number) =>
  values.map((_, at) => at).sort((a, b) => values[b] - values[a] || a - b).slice(0, K);

const small = { model_type: "t5", d_model: 8, d_kv: 4, num_heads: 2, d_ff: 12, num_layers: 1, num_decoder_layers: 1,
  feed_forward_proj: "relu", tie_word_embeddings: true, pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 };

test("a sequence runs through sum_i g_i W_i, chosen by the mean of its tokens, padding left out", async () => {
  const [E, K, D] = [5, 3, 8];
  const dense = await moe.create(small, { tokenizer: "nano-switch", seed: 2 });
  const { model } = await moe.from(dense).upcycle({ experts: E, topK: K, stack: "encoder", merge: "sequence" });
  // experts that differ
  const { id } = moeLayers(model.spec)[0];
  const own = new Map<string, Matrix>();
  const matrix = (name: string, rows: number, columns: number): Matrix => {
    const rng = new Rng(name);
    own.set(name,
      Array.from({ length: rows }, () => Array.from({ length: columns }, () => Math.fround(rng.normal() / 2))));
    return own.get(name)!;
  };
  const router = matrix(`${id}.router`, E, D);
  const experts = Array.from({ length: E },
    (_, e) => ({ up: matrix(`${id}.experts.${e}.up`, 12, D), down: matrix(`${id}.experts.${e}.down`, D, 12) }));
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const name of model.weights.names())
    tensors.set(name, { shape: model.weights.info(name).shape,
      values: own.has(name) ? Float32Array.from(own.get(name)!.flat()) : await model.weights.values(name) });
  const changed = new Model("changed", model.spec, new MemorySource(tensors));
  const batch = { ids: [[5, 6, 7, 9], [8, 9, 1, 0]], mask: [[1, 1, 1, 1], [1, 1, 1, 0]], decoderIds: [[0], [0]] };
  let checked = 0;
  await changed.sweep([batch], { experts: true, sites: ["moe"], onSite: async (seen) => {
    if (seen.site !== "moe" || seen.layer !== id) return;
    const { input, choice, gates, output } = seen;
    const rows = async (tensor: { data(): Promise<ArrayLike<number>>; shape: number[] }) => {
      const all = Array.from(await tensor.data());
      return Array.from({ length: 8 }, (_, at) => all.slice(at * tensor.shape[1], (at + 1) * tensor.shape[1]));
    };
    const [x, chosen, gate, y] = [await rows(input), await rows(choice), await rows(gates), await rows(output)];
    for (const b of [0, 1]) {
      const real = batch.mask[b].flatMap((one, t) => (one ? [4 * b + t] : []));
      const mean = x[0].map((_, d) => real.reduce((sum, row) => sum + x[row][d], 0) / real.length);
      const scores = softmax(times(router, mean));
      const wanted = largest(scores, K);
      const mass = wanted.reduce((sum, e) => sum + scores[e], 0);
      const merged = (kind: "up" | "down"): Matrix =>
        experts[0][kind].map((row, i) =>
          row.map((_, j) => wanted.reduce((sum, e) => sum + (scores[e] / mass) * experts[e][kind][i][j], 0))
        );
      for (const row of real) {
        assert.equal(chosen[row], wanted);
        wanted.forEach((e, k) => assert.ok(Math.abs(gate[row][k] - scores[e] / mass) < 1e-5));
        times(merged("down"), times(merged("up"), x[row]).map((one) => Math.max(0, one))).forEach((one, d) => {
          assert.ok(Math.abs(one - y[row][d]) < 1e-4 * Math.max(1, Math.abs(one)), `${row} ${d}: ${one} ${y[row][d]}`);
          checked++;
        });
      }
    }
  } });
  assert.is(checked, 7 * D);
  await changed.dispose();
  await model.dispose();
  await dense.model.dispose();
});

test("for a task: the experts of the largest gate mass, in proportion to it", () => {
  const mass = [1, 6, 2, 3];
  const plan = meo.plan(
    { model: { fingerprint: "f" }, layers: { "layers.0": { experts: 4, gateMass: mass } } } as never,
    { keep: 3, level: "task" },
    undefined as never,
  ) as { layers: Record<string, { slots: { from: { expert: number; weight: number }[] }[] }> };
  assert.equal(plan.layers["layers.0"].slots, [{ from: [{ expert: 1, weight: 6 / 11 }, { expert: 3, weight: 3 / 11 }, {
    expert: 2,
    weight: 2 / 11,
  }] }]);
});

test.run();
