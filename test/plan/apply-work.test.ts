import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Tensor } from "@tensorflow/tfjs";
import type { Batch } from "../../sdk/model/batch.js";
import { create, from } from "../../sdk/pipeline.js";
import { forecast } from "../../sdk/plan/forecast.js";
import { methodList } from "../../sdk/plan/methods.js";
import { Rng, ready, tf } from "../../sdk/tensor/index.js";

// The most that apply holds in tensors, as the engine counts it while every weight is made, beside what was forecast.
const test = suite("work of apply");
await ready();

const [D, F, E] = [32, 80, 8];
const family = { vocab_size: 32, num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 64, tie_word_embeddings: true };
const configs: Record<string, Record<string, unknown>> = {
  gated: { model_type: "mixtral", ...family, hidden_size: D, intermediate_size: F, num_key_value_heads: 2, num_local_experts: E, num_experts_per_tok: 2, rms_norm_eps: 1e-5, rope_theta: 1e4 },
  plain: { model_type: "switch_transformers", ...family, d_model: D, d_ff: F, d_kv: 16, num_heads: 2, num_layers: 1, num_decoder_layers: 1, num_experts: E, num_sparse_encoder_layers: 1, num_sparse_decoder_layers: 1, expert_capacity: 64, encoder_sparse_step: 1, decoder_sparse_step: 1, feed_forward_proj: "relu" },
};
const rng = new Rng("work of apply");
const rows = () => Array.from({ length: 8 }, () => Array.from({ length: 32 }, () => rng.int(32)));
const [ids, decoderIds] = [rows(), rows()];
const data: Record<string, (Batch & { labels: number[][] })[]> = { gated: [{ ids, labels: decoderIds }], plain: [{ ids, decoderIds, labels: decoderIds }] };

const engine = tf.engine() as unknown as { trackTensor(tensor: Tensor, backend: unknown): void; removeDataId(id: object, backend: unknown): void };

/** bytes of all buffers at the worst moment of a job, those before it left out; clones share theirs */
async function peakOf(job: () => Promise<void>): Promise<number> {
  const own = { trackTensor: engine.trackTensor, removeDataId: engine.removeDataId };
  const sizes = new Map<object, number>();
  let [now, most] = [0, 0];
  engine.trackTensor = function (tensor, backend) {
    if (!sizes.has(tensor.dataId)) { sizes.set(tensor.dataId, 4 * tensor.size); now += 4 * tensor.size; }
    most = Math.max(most, now);
    return own.trackTensor.call(this, tensor, backend);
  };
  engine.removeDataId = function (id, backend) {
    now -= sizes.get(id) ?? 0;
    sizes.delete(id);
    return own.removeDataId.call(this, id, backend);
  };
  try { await job(); } finally { Object.assign(engine, own); }
  return most;
}

const variants: [string, Record<string, unknown>][] = [
  ...methodList().filter(({ kind }) => kind === "merge" || kind === "compress").map(({ name, kind }): [string, Record<string, unknown>] => [name, kind === "compress" ? { rank: 8 } : name === "meo" ? { level: "task", keep: 4 } : { keep: 0.4 }]),
  ["m-smoe", { keep: 0.4, alignTo: "leader" }], ["m-smoe", { keep: 0.4, align: "none" }], ["m-smoe", { keep: 0.4, align: "activations" }],
  ["m-smoe", { keep: 0.4, align: "zip" }], ["m-smoe", { keep: 0.4, weights: "fisher" }], ["m-smoe", { keep: 0.4, weights: "fisher", align: "none" }],
  ["hc-smoe", { keep: 0.4, result: "zipit" }], ["hc-smoe", { keep: 0.4, align: "weights" }],
];
for (const [kind, config] of Object.entries(configs)) {
  const base = await create(config).profile({ data: data[kind] as never });
  for (const [name, options] of variants) {
    test(`${kind} ${name} ${JSON.stringify(options)}`, async () => {
      const study = await from(base).plan({ method: name, ...options, ...(kind === "plain" && { exclude: ["encoder.layers.0"] }) });
      const { work } = forecast(base.model.spec, study.plan!);
      const { model } = await from(study).apply();
      const measured = await peakOf(async () => { for (const tensor of model.weights.names()) if (tensor.includes(".experts.")) await model.weights.values(tensor); });
      assert.ok(work.peakBytes >= work.peakTensorBytes);
      if (measured === 0) return assert.is(work.peakTensorBytes, 0); // handed out as they are
      const ratio = work.peakTensorBytes / measured;
      assert.ok(ratio > 0.9 && ratio < 1.1, `said ${work.peakTensorBytes / 4 / F / D} matrices, held ${measured / 4 / F / D}`);
    });
  }
}

for (const [keep, alignTo, assignments] of [[0.4, "first", E - 1], [0.9, "first", E - 1], [0.9, "leader", 1]] as const) {
  test(`m-smoe, keep ${keep}, to the ${alignTo}: every expert that is put in order is assigned once, one alone too`, async () => {
    const study = await from(await create(configs.gated).profile({ data: data.gated as never })).plan({ method: "m-smoe", keep, alignTo });
    const slots = Object.values(study.plan!.layers)[0].slots!;
    assert.ok(keep === 0.4 || slots.filter(({ from }) => from.length === 1).length >= E - 2);
    assert.is(forecast(study.model.spec, study.plan!).work.assignments.length, assignments);
  });
}

test.run();
