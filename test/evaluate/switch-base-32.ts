import { specFromConfig } from "../../sdk/checkpoint/family.js";
import { type ExpertSpec, type ModelSpec, moeLayers } from "../../sdk/model/spec.js";

/** The published config.json of google/switch-base-32, as far as it says something about the architecture. */
const config = {
  model_type: "switch_transformers",
  architectures: ["SwitchTransformersForConditionalGeneration"],
  is_encoder_decoder: true,
  d_model: 768,
  d_ff: 3072,
  d_kv: 64,
  num_heads: 12,
  num_layers: 12,
  num_decoder_layers: 12,
  vocab_size: 32128,
  num_experts: 32,
  num_sparse_encoder_layers: 6,
  num_sparse_decoder_layers: 6,
  encoder_sparse_step: 2,
  decoder_sparse_step: 2,
  expert_capacity: 64,
  router_bias: false,
  feed_forward_proj: "relu",
  dense_act_fn: "relu",
  is_gated_act: false,
  layer_norm_epsilon: 1e-6,
  tie_word_embeddings: true,
  relative_attention_num_buckets: 32,
  relative_attention_max_distance: 128,
  pad_token_id: 0,
  eos_token_id: 1,
  decoder_start_token_id: 0,
};

/** switch-base-32; `slots` gives the stored experts of each MoE layer in running order, default all 32. */
export async function switchBase32(slots?: (moeLayer: number) => ExpertSpec[]): Promise<ModelSpec> {
  const spec = await specFromConfig(config);
  if (slots) {
    moeLayers(spec).forEach(({ ffn }, moeLayer) => {
      ffn.slots = slots(moeLayer);
      // which expert runs which slot does not matter to the cost of equal slots
      ffn.expertOf = ffn.expertOf.map((_, expert) => expert % ffn.slots.length);
    });
  }
  return spec;
}

export function dense(count: number): ExpertSpec[] {
  return Array.from({ length: count }, () => ({ form: "dense", width: 3072 }));
}

/** Rank 32 and one row in ten: a mean over many experts, so the kept rows are not whole. */
export function compressed(count: number): ExpertSpec[] {
  const form = "low-rank-sparse";
  return Array.from({ length: count },
    () => ({ form: "dense", width: 3072,
      maps: { up: { form, rank: 32, rows: 307.2 }, down: { form, rank: 32, rows: 76.8 } } }));
}
