"""Checkpoints of every family at other shapes than the fixtures', with transformers' own outputs.

    PYTHONPATH=../shared/fixtures python .ci/held-out-models.py FOLDER [--seconds N] [NAME ...]

Each is a family of make_models.py with other numbers in its config.json: odd counts of heads, experts and choices,
head sizes that are not width / heads, every scaling of rotary positions, windows on and off, biases, dense layers
between, other activations, shards. The folders have the form of the fixtures.
"""
import argparse
import json
import math
import time
from collections import Counter
from pathlib import Path

import make_models
from make_models import FAMILIES as FIXTURES, Family, Stack, decoder
from safetensors.torch import load_file, save_file

GONE = ...   # a key that is left out


def yarn(**more):
    return dict(type="yarn", factor=4.0, original_max_position_embeddings=16, **more)


def longrope(pairs, **more):
    return dict(type="longrope", short_factor=[1.0 + 0.1 * i for i in range(pairs)],
                long_factor=[1.5 + 0.7 * i for i in range(pairs)], **more)


LINEAR = dict(type="linear", factor=2.5)
DYNAMIC = dict(type="dynamic", factor=2.0)
LLAMA3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=3.0, original_max_position_embeddings=16)

# families that have no fixture
GLM = dict(n_routed_experts=8, n_shared_experts=1, num_experts_per_tok=3, moe_intermediate_size=16, norm_topk_prob=True, n_group=1, topk_group=1,
           routed_scaling_factor=1.8, rope_theta=1000000)
FAMILIES = {
    **FIXTURES,
    "minimax_m2": Family("MiniMaxM2ForCausalLM", moe={"MiniMaxM2TopKRouter": "topk"}, block=("MiniMaxM2SparseMoeBlock",), seed=61,
                         config=decoder("minimax_m2", "MiniMaxM2ForCausalLM", head_dim=8, rotary_dim=4, num_local_experts=8, num_experts_per_tok=3,
                                        rope_theta=5000000, intermediate_size=20)),
    "glm4_moe_lite": Family("Glm4MoeLiteForCausalLM", moe={"Glm4MoeLiteTopkRouter": "topk"}, block=("Glm4MoeLiteMoE",), seed=62,
                            config=decoder("glm4_moe_lite", "Glm4MoeLiteForCausalLM", num_hidden_layers=3, num_key_value_heads=4, q_lora_rank=12, kv_lora_rank=16,
                                           qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=12, **GLM)),
    "solar_open": Family("SolarOpenForCausalLM", moe={"SolarOpenTopkRouter": "topk"}, block=("SolarOpenMoE",), seed=63,
                         config=decoder("solar_open", "SolarOpenForCausalLM", head_dim=8, intermediate_size=..., **GLM)),
    "granitemoeshared": Family("GraniteMoeSharedForCausalLM", moe={"GraniteMoeSharedTopKRouter": "topk"}, block=("GraniteMoeSharedMoE",), seed=64,
                               config=decoder("granitemoeshared", "GraniteMoeSharedForCausalLM", intermediate_size=16, shared_intermediate_size=32, num_local_experts=6,
                                              num_experts_per_tok=2, embedding_multiplier=1.0, logits_scaling=1.0, residual_multiplier=1.0, attention_multiplier=8 ** -0.5)),
}

# DeepSeekMoE (model_type "deepseek") is not in transformers. With norm_topk_prob it computes what Granite with a shared expert does
FAMILIES["deepseek"] = FAMILIES["granitemoeshared"]

# name: (family, what is said about it, other configuration keys, other fields of Family)
SHAPES = {
    # Mixtral and its kin
    "mixtral-one-key": ("mixtral", dict(hidden_size=40, num_attention_heads=5, num_key_value_heads=1, num_local_experts=5,
                        num_experts_per_tok=1, sliding_window=None, head_dim=GONE, vocab_size=77), {}),
    "mixtral-wide-heads": ("mixtral", dict(hidden_size=24, num_attention_heads=3, num_key_value_heads=3, head_dim=16, num_hidden_layers=3,
                           intermediate_size=37, num_local_experts=7, num_experts_per_tok=4, sliding_window=5, tie_word_embeddings=True,
                           rope_scaling=LINEAR, hidden_act="gelu"), dict(shards=2)),
    "mixtral-yarn": ("mixtral", dict(num_key_value_heads=4, head_dim=8, num_local_experts=4, num_experts_per_tok=3, rope_scaling=yarn(),
                     max_position_embeddings=64, sliding_window=None), {}),
    "phimoe-no-bias": ("phimoe", dict(attention_bias=False, lm_head_bias=False, num_local_experts=5, num_key_value_heads=1,
                       router_jitter_noise=0.1, sliding_window=7, rms_norm_eps=1e-3), {}),
    "phimoe-tied": ("phimoe", dict(hidden_size=48, num_attention_heads=6, num_key_value_heads=3, num_local_experts=9, intermediate_size=20,
                    tie_word_embeddings=True, lm_head_bias=False, rope_scaling=None, hidden_act="gelu_new"), {}),
    "minimax-other": ("minimax", dict(num_hidden_layers=4, hidden_size=36, num_attention_heads=3, num_key_value_heads=1, head_dim=12, block_size=5,
                      num_local_experts=3, num_experts_per_tok=1, layer_types=["full_attention", "linear_attention"] * 2,
                      full_attn_alpha_factor=1.5, full_attn_beta_factor=0.5, linear_attn_alpha_factor=2.0, linear_attn_beta_factor=0.7,
                      mlp_alpha_factor=1.2, mlp_beta_factor=0.9), {}),
    "minimax-window": ("minimax", dict(num_hidden_layers=2, layer_types=["linear_attention", "full_attention"], sliding_window=6,
                       tie_word_embeddings=True, num_local_experts=5, num_experts_per_tok=3, num_attention_heads=6, num_key_value_heads=2), {}),
    # OLMoE
    "olmoe-grouped": ("olmoe", dict(num_attention_heads=6, num_key_value_heads=2, hidden_size=48, num_experts=5, num_experts_per_tok=3,
                      norm_topk_prob=True, clip_qkv=0.8, attention_bias=True, intermediate_size=17), {}),
    "olmoe-dynamic": ("olmoe", dict(num_experts=9, num_experts_per_tok=1, tie_word_embeddings=True, rope_scaling=DYNAMIC,
                      max_position_embeddings=16, num_hidden_layers=1), {}),
    # Qwen
    "qwen2_moe-sparse-step": ("qwen2_moe", dict(num_hidden_layers=4, decoder_sparse_step=2, mlp_only_layers=[], num_experts=5, num_experts_per_tok=1,
                              norm_topk_prob=True, num_attention_heads=3, num_key_value_heads=1, hidden_size=36,
                              shared_expert_intermediate_size=21, use_sliding_window=True, sliding_window=6, max_window_layers=2), {}),
    "qwen2_moe-no-bias": ("qwen2_moe", dict(qkv_bias=False, num_hidden_layers=3, mlp_only_layers=[0, 2], norm_topk_prob=False, num_experts=7,
                          num_experts_per_tok=4, tie_word_embeddings=True, rope_scaling=yarn(), max_position_embeddings=64), {}),
    "qwen3_moe-window": ("qwen3_moe", dict(num_hidden_layers=3, mlp_only_layers=[1], head_dim=8, num_attention_heads=5, num_key_value_heads=1,
                         hidden_size=28, norm_topk_prob=False, num_experts=6, num_experts_per_tok=4, use_sliding_window=True, sliding_window=6,
                         max_window_layers=1, attention_bias=True), {}),
    "qwen3_moe-step": ("qwen3_moe", dict(num_hidden_layers=4, decoder_sparse_step=2, num_experts=3, num_experts_per_tok=1, tie_word_embeddings=True,
                       rope_scaling=yarn(attention_factor=1.3, beta_fast=16, beta_slow=2), max_position_embeddings=64, hidden_act="gelu_pytorch_tanh"), dict(shards=3)),
    "qwen3_next-wide": ("qwen3_next", dict(num_hidden_layers=3, full_attention_interval=3, linear_key_head_dim=6, linear_value_head_dim=10,
                        linear_num_key_heads=1, linear_num_value_heads=3, linear_conv_kernel_dim=3, partial_rotary_factor=0.5, head_dim=12,
                        num_attention_heads=3, num_key_value_heads=1, num_experts=5, num_experts_per_tok=2, norm_topk_prob=False,
                        shared_expert_intermediate_size=23), {}),
    "qwen3_next-dense": ("qwen3_next", dict(num_hidden_layers=4, layer_types=["full_attention", "linear_attention"] * 2, mlp_only_layers=[1],
                         num_experts=6, num_experts_per_tok=4, tie_word_embeddings=True, attention_bias=True), {}),
    # DeepSeek and its kin
    "deepseek_v2-odd": ("deepseek_v2", dict(hidden_size=36, num_hidden_layers=3, first_k_dense_replace=0, n_routed_experts=6, n_group=3, topk_group=2,
                        num_experts_per_tok=1, n_shared_experts=1, q_lora_rank=12, kv_lora_rank=10, qk_nope_head_dim=6, qk_rope_head_dim=4,
                        v_head_dim=14, num_attention_heads=3, num_key_value_heads=3, rope_scaling=None, routed_scaling_factor=1.7), {}),
    "deepseek_v2_lite-plain": ("deepseek_v2_lite", dict(n_shared_experts=3, n_routed_experts=7, num_experts_per_tok=4, first_k_dense_replace=2,
                               num_hidden_layers=3, tie_word_embeddings=True, routed_scaling_factor=2.0, attention_bias=True,
                               rope_scaling=yarn(mscale=1.0, mscale_all_dim=0.5)), {}),
    "deepseek_v3-no-groups": ("deepseek_v3", dict(q_lora_rank=None, n_group=1, topk_group=1, n_routed_experts=5, num_experts_per_tok=4,
                              n_shared_experts=2, norm_topk_prob=False, routed_scaling_factor=1.3, rope_scaling=None, first_k_dense_replace=0,
                              num_hidden_layers=2, tie_word_embeddings=True, v_head_dim=16), {}),
    "deepseek_v3-halves": ("deepseek_v3", dict(rope_interleave=False, n_group=2, topk_group=1, n_routed_experts=12, num_experts_per_tok=2,
                           attention_bias=True, first_k_dense_replace=2, qk_nope_head_dim=10, qk_rope_head_dim=6, kv_lora_rank=9, q_lora_rank=11,
                           num_attention_heads=3, num_key_value_heads=3, rope_scaling=yarn(mscale=0.8, mscale_all_dim=1.2)), dict(shards=2)),
    "dots1-window": ("dots1", dict(num_key_value_heads=2, head_dim=12, n_shared_experts=1, n_routed_experts=6, n_group=2, topk_group=1,
                     num_experts_per_tok=2, norm_topk_prob=False, routed_scaling_factor=1.0, sliding_window=6, max_window_layers=1, attention_bias=True,
                     layer_types=["full_attention", "sliding_attention", "sliding_attention"], first_k_dense_replace=0), {}),
    "dots1-no-shared": ("dots1", dict(n_shared_experts=3, n_routed_experts=5, num_experts_per_tok=4, tie_word_embeddings=True,
                        rope_scaling=yarn(), first_k_dense_replace=2), {}),
    "glm4_moe-plain": ("glm4_moe", dict(use_qk_norm=False, attention_bias=False, partial_rotary_factor=1.0, n_routed_experts=6, n_group=3, topk_group=2,
                       num_experts_per_tok=2, norm_topk_prob=False, n_shared_experts=2, first_k_dense_replace=2, head_dim=10), {}),
    "glm4_moe-tied": ("glm4_moe", dict(num_attention_heads=3, num_key_value_heads=1, head_dim=16, n_routed_experts=5, num_experts_per_tok=1,
                      first_k_dense_replace=0, routed_scaling_factor=1.0, tie_word_embeddings=True, rope_scaling=LINEAR, partial_rotary_factor=0.25), {}),
    # softmax over the chosen ones
    "gpt_oss-full": ("gpt_oss", dict(layer_types=["full_attention", "sliding_attention", "full_attention"], num_hidden_layers=3, head_dim=16,
                     num_attention_heads=5, num_key_value_heads=1, hidden_size=40, intermediate_size=18, num_local_experts=5, num_experts_per_tok=1,
                     experts_per_token=1, swiglu_limit=2.0, sliding_window=3, rope_theta=1000.0,
                     rope_scaling=dict(rope_type="yarn", factor=2.0, original_max_position_embeddings=16, beta_fast=8.0, beta_slow=2.0, truncate=True)), {}),
    "gpt_oss-no-bias": ("gpt_oss", dict(attention_bias=False, num_local_experts=6, num_experts_per_tok=4, experts_per_token=4, num_key_value_heads=4,
                        layer_types=["sliding_attention", "full_attention"], tie_word_embeddings=True), {}),
    "granitemoe-bias": ("granitemoe", dict(attention_bias=True, tie_word_embeddings=False, num_local_experts=5, num_experts_per_tok=1, num_attention_heads=4,
                        num_key_value_heads=1, embedding_multiplier=12.0, logits_scaling=4.0, residual_multiplier=0.22,
                        attention_multiplier=0.35, rope_scaling=LLAMA3), {}),
    "granitemoe-plain": ("granitemoe", dict(num_key_value_heads=4, num_local_experts=7, num_experts_per_tok=4, embedding_multiplier=1.0, hidden_act="gelu",
                         logits_scaling=1.0, residual_multiplier=1.0, attention_multiplier=1.0, rope_scaling=DYNAMIC, max_position_embeddings=20), {}),
    "jetmoe-one-key": ("jetmoe", dict(num_key_value_heads=1, num_attention_heads=3, kv_channels=10, hidden_size=28, num_local_experts=5, num_experts_per_tok=3,
                       num_hidden_layers=3, rms_norm_eps=1e-3), {}),
    "jetmoe-one-choice": ("jetmoe", dict(num_key_value_heads=3, num_attention_heads=3, num_local_experts=3, num_experts_per_tok=1,
                          tie_word_embeddings=False, activation_function="gelu", rope_scaling=LINEAR), {}),
    "granitemoeshared-wide": ("granitemoeshared", dict(shared_intermediate_size=20, num_experts_per_tok=6, embedding_multiplier=3.0, logits_scaling=2.0), {}),
    # every expert chosen, number formats, a file for each tensor
    "mixtral-all-chosen": ("mixtral", dict(num_local_experts=3, num_experts_per_tok=3, vocab_size=131, sliding_window=None), dict(dtype="float16", shards=31)),
    "qwen3_moe-all-chosen": ("qwen3_moe", dict(num_experts=5, num_experts_per_tok=5, head_dim=24, num_attention_heads=2, num_key_value_heads=2, vocab_size=97,
                             mlp_only_layers=[], tie_word_embeddings=True), dict(dtype="bfloat16", shards=50)),
    "deepseek_v3-all-chosen": ("deepseek_v3", dict(n_routed_experts=4, n_group=2, topk_group=2, num_experts_per_tok=4, vocab_size=101), dict(dtype="bfloat16")),
    "qwen2_moe-f16": ("qwen2_moe", dict(num_experts=2, num_experts_per_tok=2, shared_expert_intermediate_size=9, vocab_size=64), dict(dtype="float16")),
    "gpt_oss-bf16": ("gpt_oss", dict(num_local_experts=3, num_experts_per_tok=3, experts_per_token=3, head_dim=20), dict(dtype="bfloat16", shards=9)),
    # others
    "minimax_m2-first": ("minimax_m2", dict(), {}),
    "minimax_m2-whole-rotary": ("minimax_m2", dict(rotary_dim=GONE, num_key_value_heads=1, num_attention_heads=3, head_dim=12, num_local_experts=5,
                                num_experts_per_tok=5, tie_word_embeddings=True), dict(shards=4)),
    "glm4_moe_lite-first": ("glm4_moe_lite", dict(), {}),
    "glm4_moe_lite-types": ("glm4_moe_lite", dict(mlp_layer_types=["sparse", "dense", "sparse"], q_lora_rank=None, n_routed_experts=6, n_group=2, topk_group=1,
                            num_experts_per_tok=2, norm_topk_prob=False, rope_interleave=False, attention_bias=True), {}),
    "solar_open-first": ("solar_open", dict(), {}),
    "solar_open-all": ("solar_open", dict(num_experts_per_tok=8, n_shared_experts=2, attention_bias=True, tie_word_embeddings=True, num_attention_heads=6, num_key_value_heads=3), {}),
    "deepseek-first": ("deepseek", dict(), {}),
    "deepseek-many": ("deepseek", dict(num_local_experts=7, num_experts_per_tok=4, num_attention_heads=4, num_key_value_heads=1, shared_intermediate_size=16,
                      num_hidden_layers=3, tie_word_embeddings=True), {}),
    "llama4_text-all-moe": ("llama4_text", dict(num_hidden_layers=3, moe_layers=[0, 1, 2], interleave_moe_layer_step=1, no_rope_layers=[1, 0, 1],
                            layer_types=["chunked_attention", "full_attention", "chunked_attention"], attention_chunk_size=5, num_local_experts=3,
                            num_key_value_heads=1, use_qk_norm=False, head_dim=12, attn_temperature_tuning=False, floor_scale=4, tie_word_embeddings=True), {}),
    "llama4_text-two-choices": ("llama4_text", dict(num_local_experts=5, num_experts_per_tok=2, num_attention_heads=6, num_key_value_heads=3, hidden_size=36,
                                moe_layers=GONE, floor_scale=3, attn_scale=0.4, attention_bias=True, rope_scaling=None, layer_types=GONE, no_rope_layers=GONE), {}),
    "ernie4_5_moe-bias": ("ernie4_5_moe", dict(use_bias=True, num_hidden_layers=4, moe_layer_start_index=0, moe_layer_end_index=2, moe_layer_interval=2,
                          moe_num_experts=5, moe_k=3, moe_num_shared_experts=0, num_key_value_heads=1, tie_word_embeddings=False), {}),
    "ernie4_5_moe-last": ("ernie4_5_moe", dict(moe_layer_end_index=-1, moe_layer_start_index=2, moe_num_experts=7, moe_k=1, moe_num_shared_experts=1,
                          num_attention_heads=6, num_key_value_heads=6, hidden_size=48, rope_theta=10000.0), {}),
    "hunyuan_v1_moe-plain": ("hunyuan_v1_moe", dict(num_experts=5, moe_topk=3, num_hidden_layers=3, moe_intermediate_size=20, num_shared_expert=1, attention_bias=True,
                             tie_word_embeddings=False, rope_scaling=None, num_key_value_heads=1, head_dim=12, attention_head_dim=12), {}),
    "hunyuan_v1_moe-lists": ("hunyuan_v1_moe", dict(num_experts=7, moe_topk=[1, 4], num_attention_heads=6, num_key_value_heads=3,
                             rope_scaling=dict(alpha=10.0, factor=1.0, type="dynamic"), rope_theta=5000.0), {}),
    "lfm2_moe-bias": ("lfm2_moe", dict(conv_bias=True, conv_L_cache=4, num_dense_layers=0, num_experts=5, num_experts_per_tok=2, use_expert_bias=False,
                      norm_topk_prob=False, routed_scaling_factor=1.8, num_key_value_heads=1, layer_types=["full_attention", "conv", "full_attention"]), {}),
    "lfm2_moe-dense": ("lfm2_moe", dict(num_hidden_layers=4, num_dense_layers=2, num_experts=6, num_experts_per_tok=1, conv_L_cache=2, tie_word_embeddings=False,
                       layer_types=["conv", "full_attention", "conv", "full_attention"], num_attention_heads=2, num_key_value_heads=2), {}),
    "jamba-other": ("jamba", dict(num_hidden_layers=5, num_experts=3, num_experts_per_tok=1, expert_layer_period=3, expert_layer_offset=0, attn_layer_period=2,
                    attn_layer_offset=0, mamba_d_state=3, mamba_d_conv=3, mamba_expand=3, mamba_dt_rank="auto", mamba_conv_bias=False, mamba_proj_bias=True,
                    tie_word_embeddings=True, num_key_value_heads=1), {}),
    "jamba-all-moe": ("jamba", dict(num_hidden_layers=2, expert_layer_period=1, expert_layer_offset=0, attn_layer_period=2, attn_layer_offset=1, num_experts=5,
                      num_experts_per_tok=4, mamba_dt_rank=7, num_key_value_heads=4, hidden_act="gelu"), {}),
    "dbrx-one-key": ("dbrx", dict(d_model=40, n_heads=5, n_layers=3, attn_config=dict(clip_qkv=0.7, kv_n_heads=1, rope_theta=10000, model_type=""),
                     ffn_config=dict(ffn_hidden_size=13, moe_jitter_eps=0, moe_loss_weight=0.05, moe_num_experts=5, moe_top_k=4, moe_normalize_expert_weights=1.0,
                                     ffn_act_fn={"name": "gelu"}, model_type="")), {}),
    "dbrx-large-clip": ("dbrx", dict(attn_config=dict(clip_qkv=100.0, kv_n_heads=4, rope_theta=1000.0, model_type=""),
                     ffn_config=dict(ffn_hidden_size=24, moe_loss_weight=0.05, moe_num_experts=3, moe_top_k=1, ffn_act_fn={"name": "silu"}, model_type="")), {}),
    # encoder and decoder
    "switch_transformers-all": ("switch_transformers", dict(num_layers=3, num_decoder_layers=2, num_sparse_encoder_layers=3, num_sparse_decoder_layers=1,
                                encoder_sparse_step=1, decoder_sparse_step=2, num_experts=5, expert_capacity=2, num_heads=3, d_kv=12, d_ff=30,
                                relative_attention_num_buckets=12, relative_attention_max_distance=24, router_bias=True, dense_act_fn="gelu"), {}),
    "switch_transformers-dense-decoder": ("switch_transformers", dict(num_layers=4, num_decoder_layers=3, num_sparse_encoder_layers=1, num_sparse_decoder_layers=0,
                                          encoder_sparse_step=4, decoder_sparse_step=3, num_experts=3, expert_capacity=64, tie_word_embeddings=False), {}),
    "nllb_moe-steps": ("nllb_moe", dict(encoder_layers=3, decoder_layers=4, encoder_sparse_step=1, decoder_sparse_step=4, num_experts=3, encoder_ffn_dim=40, decoder_ffn_dim=28,
                       encoder_attention_heads=8, decoder_attention_heads=2, scale_embedding=False, router_bias=True, moe_token_dropout=0.0,
                       activation_function="gelu", num_hidden_layers=3), {}),
    "nllb_moe-dense-encoder": ("nllb_moe", dict(encoder_sparse_step=0, num_experts=5, moe_token_dropout=0.35), {}),
    # dense
    "llama-bias": ("llama", dict(attention_bias=True, mlp_bias=True, num_key_value_heads=1, head_dim=12, tie_word_embeddings=True, rope_scaling=LINEAR), {}),
    "llama-dynamic": ("llama", dict(num_attention_heads=6, num_key_value_heads=6, hidden_size=36, head_dim=GONE, rope_scaling=DYNAMIC, max_position_embeddings=20,
                      hidden_act="gelu", rms_norm_eps=1e-3), {}),
    "llama-longrope": ("llama", dict(rope_scaling=longrope(4, original_max_position_embeddings=16), max_position_embeddings=64), {}),
    "llama-yarn": ("llama", dict(rope_scaling=yarn(beta_fast=4, beta_slow=1), max_position_embeddings=64, head_dim=20), dict(shards=3)),
    "qwen3-window": ("qwen3", dict(num_hidden_layers=3, use_sliding_window=True, sliding_window=6, max_window_layers=1, num_key_value_heads=1, num_attention_heads=5,
                     attention_bias=True, tie_word_embeddings=False, head_dim=8), {}),
    "gpt2-inner": ("gpt2", dict(n_head=2, n_layer=3, n_inner=50, scale_attn_by_inverse_layer_idx=True, activation_function="relu", layer_norm_epsilon=1e-3), {}),
    "gpt2-unscaled": ("gpt2", dict(n_embd=30, n_head=3, scale_attn_weights=False, activation_function="gelu", tie_word_embeddings=False), {}),
    "opt-after": ("opt", dict(do_layer_norm_before=False, word_embed_proj_dim=20, num_attention_heads=2, num_hidden_layers=3, activation_function="gelu"),
                  dict(stacks=[Stack("model.decoder.layers")])),
    "opt-no-bias": ("opt", dict(enable_bias=False, ffn_dim=33, num_attention_heads=8, _remove_final_layer_norm=False, tie_word_embeddings=True), {}),
    "bert-other": ("bert", dict(hidden_act="relu", hidden_size=36, num_attention_heads=3, num_hidden_layers=3, type_vocab_size=4, layer_norm_eps=1e-5), {}),
    "t5-gated": ("t5", dict(feed_forward_proj="gated-gelu", num_layers=3, num_decoder_layers=1, num_heads=3, d_kv=10, tie_word_embeddings=False,
                 relative_attention_num_buckets=32, relative_attention_max_distance=128), {}),
    "t5-gated-silu": ("t5", dict(feed_forward_proj="gated-silu", d_ff=21, num_heads=2, d_kv=24), {}),
}


def family(name):
    base, config, fields = SHAPES[name]
    values = {**FAMILIES[base].__dict__, "seed": 100 + list(SHAPES).index(name), "note": "", **fields}
    values["config"] = {key: value for key, value in {**FAMILIES[base].config, **config}.items() if value is not GONE}
    return Family(**values)


def add_left_padded(name, folder):
    """The same rows padded on the left, with positions counted from the mask, as `generate` calls a model."""
    expected = load_file(folder / "expected.safetensors")
    ids, mask = expected["batch.input_ids"], expected["batch.attention_mask"]
    shifts = (mask.shape[1] - mask.sum(-1)).tolist()
    left_ids, left_mask = (make_models.torch.stack([row.roll(shift) for row, shift in zip(rows, shifts)]) for rows in (ids, mask))
    model = make_models.load(folder, family(name).cls)
    with make_models.torch.no_grad():
        logits = model(input_ids=left_ids, attention_mask=left_mask, position_ids=(left_mask.cumsum(-1) - 1).clamp(min=0)).logits
    expected.update({"left.input_ids": left_ids, "left.attention_mask": left_mask, "left.logits": logits})
    save_file({key: value.contiguous() for key, value in expected.items()}, folder / "expected.safetensors")


def as_deepseek(folder):
    """Gives the weights of a Granite model with shared experts the names and the configuration of DeepSeekMoE."""
    config = json.loads((folder / "config.json").read_text())
    stored, renamed = load_file(folder / "model.safetensors"), {}
    for name, value in stored.items():
        path = name.split("block_sparse_moe")[0].split("shared_mlp")[0] + "mlp."
        if name.endswith("router.layer.weight"):
            renamed[path + "gate.weight"] = value
        elif "block_sparse_moe.input_linear" in name:
            for expert, matrix in enumerate(value):
                for part, half in zip(("gate_proj", "up_proj"), matrix.chunk(2)):
                    renamed[f"{path}experts.{expert}.{part}.weight"] = half.contiguous()
        elif "block_sparse_moe.output_linear" in name:
            for expert, matrix in enumerate(value):
                renamed[f"{path}experts.{expert}.down_proj.weight"] = matrix.contiguous()
        elif "shared_mlp.input_linear" in name:
            for part, half in zip(("gate_proj", "up_proj"), value.chunk(2)):
                renamed[f"{path}shared_experts.{part}.weight"] = half.contiguous()
        else:
            renamed[name.replace("shared_mlp.output_linear", "mlp.shared_experts.down_proj")] = value
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    for key in ("embedding_multiplier", "logits_scaling", "residual_multiplier", "attention_multiplier"):
        config.pop(key)
    width = config.pop("intermediate_size")
    config.update(model_type="deepseek", architectures=["DeepseekForCausalLM"], n_routed_experts=config.pop("num_local_experts"), moe_intermediate_size=width,
                  intermediate_size=99, n_shared_experts=config.pop("shared_intermediate_size") // width, first_k_dense_replace=0, moe_layer_freq=1,
                  norm_topk_prob=True, scoring_func="softmax")
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "config.v5.json").unlink()


def by_turns():
    """All names, one of every family before the second of any, so that a short run has something of each."""
    seen, turn = Counter(), {}
    for name, (base, *_) in SHAPES.items():
        turn[name] = seen[base]
        seen[base] += 1
    return sorted(SHAPES, key=turn.get)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no other model after this time")
    options = parser.parse_args()
    make_models.torch.set_num_threads(1)
    make_models.transformers.logging.set_verbosity_error()
    make_models.transformers.logging.disable_progress_bar()
    names = options.names or by_turns()
    started = time.monotonic()
    for at, name in enumerate(names):
        if time.monotonic() - started > options.seconds:
            print(f"{len(names) - at} of {len(names)} left out after {options.seconds:.0f} s: {', '.join(names[at:])}")
            break
        meta = make_models.build(name, family(name), options.folder)
        # transformers' own numbers change with padding on the left: with these biases it enters the states of convolutions and state
        # spaces, and Llama 4 counts it as positions where it scales queries (`floor_scale`). There the model must equal itself unpadded
        leaky = any(family(name).config.get(key) for key in ("conv_bias", "mamba_proj_bias", "attn_temperature_tuning"))
        if family(name).kind == "causal" and not leaky:
            add_left_padded(name, options.folder / name)
        if SHAPES[name][0] == "deepseek":
            as_deepseek(options.folder / name)
        print(f"{name:34s} seed {meta['seed']}  noise {meta['noise_float32_vs_float64']['logits']:.1e}", flush=True)


if __name__ == "__main__":
    main()
