import { test } from "uvu";
import * as assert from "uvu/assert";
import { moe, moeLayers } from "../../sdk/index.js";
import { tf } from "../../sdk/tensor/index.js";
import { useBackend } from "../support/backends.js";

test.before(() => useBackend("wasm"));

const small = { model_type: "t5", d_model: 16, d_kv: 8, num_heads: 2, d_ff: 24, num_layers: 2, num_decoder_layers: 1,
  feed_forward_proj: "relu", tie_word_embeddings: true, pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 };
const batch = { ids: [[5, 6, 7, 1], [8, 9, 1, 0]], mask: [[1, 1, 1, 1], [1, 1, 1, 0]], decoderIds: [[0, 4], [0, 3]] };

test("copies compute what the dense model did, whatever is chosen, merged or not", async () => {
  const dense = await moe.create(small, { tokenizer: "nano-switch", seed: 3 });
  const wanted = await dense.model.forward(batch, {});
  for (const options of [{ topK: 1 }, { topK: 3 }, { topK: 2, stack: "encoder", merge: "sequence" }] as const) {
    const sparse = await moe.from(dense).upcycle({ experts: 4, ...options });
    assert.is(moeLayers(sparse.model.spec).length, "stack" in options ? 2 : 3);
    const got = await sparse.model.forward(batch, {});
    const apart = tf.tidy(() => tf.max(tf.abs(tf.sub(got.logits, wanted.logits))));
    assert.ok((await apart.data())[0] < 1e-5);
    apart.dispose();
    got.dispose();
    await sparse.model.dispose();
  }
  wanted.dispose();
  await moe.from(dense).upcycle({ experts: 4, topK: 5 }).then(() => assert.unreachable(),
    (error) => assert.match(error.message, "topK 5"));
  await dense.model.dispose();
});

test("a model without dense blocks is refused", async () => {
  const only = { ...small, model_type: "switch_transformers", num_experts: 2, num_layers: 1,
    num_sparse_encoder_layers: 1, num_sparse_decoder_layers: 1 };
  await moe.create(only, { tokenizer: "nano-switch" }).upcycle({ experts: 2 }).then(() => assert.unreachable(),
    (error) => assert.match(error.message, "no dense feed-forward block"));
});

test.run();
