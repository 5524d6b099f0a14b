import { test } from "uvu";
import * as assert from "uvu/assert";
import { specFromConfig } from "../../sdk/checkpoint/family.js";
import { alignmentGain } from "../../sdk/merge/alignment-gain.js";
import { initialize } from "../../sdk/model/initialize.js";
import { MemorySource } from "../../sdk/model/memory-source.js";
import { ready, Rng } from "../../sdk/tensor/index.js";

const [D, F] = [8, 24];

test.before(async () => void (await ready()));

async function model(change: (tensors: Map<string, { shape: number[]; values: Float32Array }>, layer: string) => void) {
  const spec = await specFromConfig({ model_type: "switch_transformers", vocab_size: 16, d_model: D, d_kv: 4, d_ff: F,
    num_heads: 2, num_experts: 3, num_layers: 2, num_decoder_layers: 2, num_sparse_encoder_layers: 1,
    num_sparse_decoder_layers: 1 });
  const source = initialize(spec, new Rng(1));
  const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
  for (const name of source.names())
    tensors.set(name, { shape: source.info(name).shape, values: await source.values(name) });
  change(tensors, "encoder.layers.1");
  return { spec, weights: new MemorySource(tensors) };
}

test("permuted copies are aligned altogether; random directions are not", async () => {
  const { spec, weights } = await model((tensors, layer) => {
    const [up, down] = ["up", "down"].map((matrix) => tensors.get(`${layer}.experts.0.${matrix}`)!.values);
    for (const expert of [1, 2]) {
      const moved = (neuron: number) => (neuron + 5 * expert) % F;
      const [newUp, newDown] = ["up", "down"].map((matrix) =>
        tensors.get(`${layer}.experts.${expert}.${matrix}`)!.values
      );
      for (let f = 0; f < F; f++)
        for (let d = 0; d < D; d++) {
          newUp[moved(f) * D + d] = up[f * D + d];
          newDown[d * F + moved(f)] = down[d * F + f];
        }
    }
  });
  const { trained, random } = (await alignmentGain(spec, weights))["encoder.layers.1"];
  assert.ok(trained > 1 - 1e-6, `${trained}`);
  assert.ok(random > 0.05 && random < 0.9, `${random}`);
});

test("unrelated experts gain what random directions gain", async () => {
  const { spec, weights } = await model(() => {});
  for (const { trained, random } of Object.values(await alignmentGain(spec, weights)))
    assert.ok(Math.abs(trained - random) < 0.1, `${trained} ${random}`);
});

test.run();
