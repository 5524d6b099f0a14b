/**
 * Architecture of the small Switch models: 4 + 4 layers, MoE in every second one, 16 experts, top-1; 3.9 M parameters.
 * `vocab_size` is the tokenizer's.
 */
export const nanoConfig = {
  model_type: "switch_transformers",
  architectures: ["SwitchTransformersForConditionalGeneration"],
  is_encoder_decoder: true,
  d_model: 96,
  d_kv: 24,
  num_heads: 4,
  d_ff: 256,
  num_layers: 4,
  num_decoder_layers: 4,
  num_sparse_encoder_layers: 2,
  num_sparse_decoder_layers: 2,
  num_experts: 16,
  expert_capacity: 0,
  router_bias: false,
  dense_act_fn: "relu",
  feed_forward_proj: "relu",
  is_gated_act: false,
  layer_norm_epsilon: 1e-6,
  relative_attention_num_buckets: 16,
  relative_attention_max_distance: 32,
  tie_word_embeddings: true,
  pad_token_id: 0,
  eos_token_id: 1,
  decoder_start_token_id: 0,
};
