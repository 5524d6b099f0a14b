"""The fixtures of families that make_models.py does not have, made by it: test/fixtures/models/NAME.

    PYTHONPATH=../shared/fixtures python .ci/fixture-models.py [--out FOLDER] [NAME ...]

Multi-modal models keep a vision tower of one layer: it is on disk and moelab does not run it.
"""
import argparse
from dataclasses import replace
from pathlib import Path

import make_models
import transformers
from make_models import Family, Stack, decoder
from safetensors.torch import load_file, save_file

GONE = ...   # a key that is left out
OUT = Path(__file__).resolve().parent.parent / "test/fixtures/models"
WRAPPED = [Stack("model.language_model.layers", "model.language_model.norm")]
SPARSE = ["dense", "sparse", "sparse"]


def later(model_type, architecture, theta=10000.0, rope=None, **keys):
    """A configuration as transformers 5 writes it: families that no earlier release has."""
    rope = {"rope_type": "default", "rope_theta": theta, **(rope or {})}
    return decoder(model_type, architecture, rope_theta=GONE, torch_dtype=GONE, dtype="float32", transformers_version="5.24.0",
                   **{"rope_parameters": rope, **keys})


def wrapped(model_type, architecture, vision, text, **keys):
    """A multi-modal configuration; `text` is that of the language model."""
    text = {key: value for key, value in text.items() if key not in ("architectures", "torch_dtype", "dtype", "transformers_version")}
    return {**dict(architectures=[architecture], model_type=model_type, vision_config=vision, text_config=text, tie_word_embeddings=False,
                   dtype="float32", transformers_version="5.24.0"), **keys}


DEEPSEEK = dict(n_group=1, topk_group=1, norm_topk_prob=True, num_experts_per_tok=3, moe_intermediate_size=16)
QWEN3 = dict(head_dim=8, num_experts=8, num_experts_per_tok=3, moe_intermediate_size=12, attention_bias=False, rms_norm_eps=1e-6, router_aux_loss_coef=0.001,
             output_router_logits=False)
QWEN3_5 = dict(QWEN3, intermediate_size=GONE, shared_expert_intermediate_size=12, linear_conv_kernel_dim=4, linear_key_head_dim=8, linear_value_head_dim=6,
               linear_num_key_heads=2, linear_num_value_heads=4, layer_types=["linear_attention", "full_attention"], full_attention_interval=2)
MROPE = dict(mrope_section=[1, 1, 2], mrope_interleaved=True)
QWEN_VISION = dict(depth=1, hidden_size=8, intermediate_size=8, num_heads=2, in_channels=3, patch_size=2, temporal_patch_size=1, spatial_merge_size=1,
                   out_hidden_size=32, num_position_embeddings=4, hidden_act="gelu_pytorch_tanh", initializer_range=0.02)

DSA = {**DEEPSEEK, **dict(q_lora_rank=12, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8, attention_bias=False, index_topk=48,
                          index_head_dim=8, index_n_heads=2, topk_group=1)}
GRANITE = dict(attention_multiplier=0.2, embedding_multiplier=2.0, logits_scaling=1.5, residual_multiplier=0.7, rms_norm_eps=1e-6, pad_token_id=0)

FAMILIES = {
    "mellum": Family(
        "MellumForCausalLM", moe={"MellumTopKRouter": "topk"}, block=("MellumSparseMoeBlock",), seed=71,
        config=later("mellum", "MellumForCausalLM", num_hidden_layers=3, **{**QWEN3, "rms_norm_eps": 1e-6}, norm_topk_prob=True, sliding_window=8,
                     layer_types=["sliding_attention", "full_attention", "sliding_attention"], mlp_layer_types=["sparse", "sparse", "dense"],
                     rope_parameters={"full_attention": dict(rope_type="yarn", rope_theta=500000.0, factor=4.0, original_max_position_embeddings=16),
                                      "sliding_attention": dict(rope_type="default", rope_theta=10000.0)}),
        note="rotary positions of their own for window and full layers, yarn in the latter"),
    "qwen3_vl_moe": Family(
        "Qwen3VLMoeForConditionalGeneration", moe={"Qwen3VLMoeTextTopKRouter": "topk"}, block=("Qwen3VLMoeTextSparseMoeBlock",), stacks=WRAPPED, seed=72,
        config=wrapped("qwen3_vl_moe", "Qwen3VLMoeForConditionalGeneration", {**QWEN_VISION, "deepstack_visual_indexes": [0], "model_type": "qwen3_vl_moe"},
                       decoder("qwen3_vl_moe_text", "", **{**QWEN3, "head_dim": 8}, norm_topk_prob=True, rope_theta=5000000, mlp_only_layers=[],
                               decoder_sparse_step=1, tie_word_embeddings=GONE,
                               rope_scaling=dict(rope_type="default", **MROPE)), image_token_id=90, video_token_id=91, vision_start_token_id=92,
                       vision_end_token_id=93),
        note="text behind model.language_model., experts fused as [E, in, out], tied by the outer configuration alone"),
    "exaone_moe": Family(
        "ExaoneMoeForCausalLM", moe={"ExaoneMoeTopkRouter": "topk"}, block=("ExaoneMoeExperts",), seed=73,
        config=later("exaone_moe", "ExaoneMoeForCausalLM", num_hidden_layers=3, head_dim=8, sliding_window=8, sliding_window_pattern="LG",
                     layer_types=["sliding_attention", "full_attention", "sliding_attention"], mlp_layer_types=SPARSE, first_k_dense_replace=1, num_experts=8,
                     num_shared_experts=1, routed_scaling_factor=2.5, **DEEPSEEK),
        note="rotary positions in window layers alone, DeepSeek-V3 router with its bias beside the experts"),
    "hy_v3": Family(
        "HYV3ForCausalLM", moe={"HYV3TopKRouter": "topk"}, block=("HYV3MoE",), seed=74,
        config=later("hy_v3", "HYV3ForCausalLM", theta=11158840.0, num_hidden_layers=3, head_dim=8, mlp_layer_types=SPARSE, num_experts=8, num_shared_experts=2,
                     num_experts_per_tok=3, moe_intermediate_size=16, router_scaling_factor=2.826, attention_bias=False, mlp_bias=False,
                     enable_moe_fp32_combine=True),
        note="sigmoid router with bias, always renormalised and scaled, two shared experts"),
    "granitemoe_swa": Family(
        "GraniteMoeSWAForCausalLM", moe={"GraniteMoeSWATopKRouter": "topk"}, block=("GraniteMoeSWAMoE",), seed=75,
        config=later("granitemoe_swa", "GraniteMoeSWAForCausalLM", intermediate_size=12, shared_intermediate_size=20, num_local_experts=6, num_experts_per_tok=2,
                     num_hidden_layers=3, sliding_window=8, layer_types=["full_attention", "sliding_attention", "sliding_attention"],
                     layer_rope_theta=[0, 10000.0, 50000.0], tie_word_embeddings=True, attention_multiplier=0.2, embedding_multiplier=2.0, logits_scaling=1.5,
                     residual_multiplier=0.7, rms_norm_eps=1e-6, pad_token_id=0),
        note="attention sinks, windows, a base of rotary positions per layer (0: none)"),
    "glm4v_moe": Family(
        "Glm4vMoeForConditionalGeneration", moe={"Glm4vMoeTextTopkRouter": "topk"}, block=("Glm4vMoeTextMoE",), stacks=WRAPPED, seed=76,
        config=wrapped("glm4v_moe", "Glm4vMoeForConditionalGeneration",
                       dict(depth=1, hidden_size=8, intermediate_size=8, num_heads=2, in_channels=3, patch_size=2, image_size=4, temporal_patch_size=1,
                            spatial_merge_size=1, out_hidden_size=32, hidden_act="silu", rms_norm_eps=1e-5),
                       decoder("glm4v_moe_text", "", num_hidden_layers=3, head_dim=8, partial_rotary_factor=0.5, attention_bias=True, first_k_dense_replace=1,
                               n_routed_experts=8, n_shared_experts=1, routed_scaling_factor=1.5, rope_theta=10000.0, tie_word_embeddings=GONE,
                               rope_scaling=dict(rope_type="default", mrope_section=[1, 1, 0]), **DEEPSEEK)),
        note="GLM-4.5 without norms of q and k, behind model.language_model."),
    "qwen3_5_moe_text": Family(
        "Qwen3_5MoeForCausalLM", moe={"Qwen3_5MoeTopKRouter": "topk"}, block=("Qwen3_5MoeExperts",), seed=77,
        config=later("qwen3_5_moe_text", "Qwen3_5MoeForCausalLM", theta=1e7, rope=dict(partial_rotary_factor=0.5), **QWEN3_5),
        note="gated DeltaNet whose projections are matrices of their own"),
    "qwen3_5_moe": Family(
        "Qwen3_5MoeForConditionalGeneration", moe={"Qwen3_5MoeTopKRouter": "topk"}, block=("Qwen3_5MoeExperts",), stacks=WRAPPED, seed=78,
        config=wrapped("qwen3_5_moe", "Qwen3_5MoeForConditionalGeneration", {**QWEN_VISION, "model_type": "qwen3_5_moe"},
                       later("qwen3_5_moe_text", "", theta=1e7, rope=dict(partial_rotary_factor=0.5, mrope_section=[1, 1, 0], mrope_interleaved=True),
                             tie_word_embeddings=GONE, **QWEN3_5), image_token_id=90, video_token_id=91, vision_start_token_id=92, vision_end_token_id=93),
        note="the same behind model.language_model."),
    "granitemoehybrid": Family(
        "GraniteMoeHybridForCausalLM", moe={"GraniteMoeHybridTopKRouter": "topk"}, block=("GraniteMoeHybridMoE",), seed=79,
        config=decoder("granitemoehybrid", "GraniteMoeHybridForCausalLM", num_hidden_layers=3, intermediate_size=12, shared_intermediate_size=20,
                       num_local_experts=6, num_experts_per_tok=2, layer_types=["mamba", "attention", "mamba"], position_embedding_type="nope", mamba_n_heads=4,
                       mamba_n_groups=2, mamba_d_state=6, mamba_d_head=16, mamba_d_conv=4, mamba_expand=2, mamba_chunk_size=8, mamba_conv_bias=True,
                       mamba_proj_bias=False, time_step_limit=[0.0, float("inf")], tie_word_embeddings=True, **GRANITE),
        note="Mamba-2 layers with one attention layer without positions, experts beside a shared one"),
    "granitemoehybrid_dense": Family(
        "GraniteMoeHybridForCausalLM", seed=80,
        config=decoder("granitemoehybrid", "GraniteMoeHybridForCausalLM", intermediate_size=12, shared_intermediate_size=20, num_local_experts=0,
                       num_experts_per_tok=0, layer_types=["attention", "attention"], position_embedding_type="rope", mamba_n_heads=8,
                       tie_word_embeddings=True, **GRANITE),
        note="an all-attention size without experts, rotary positions"),
    "nemotron_h": Family(
        "NemotronHForCausalLM", moe={"NemotronHTopkRouter": "topk"}, block=("NemotronHMoE",), stacks=[Stack("model.layers", "model.norm_f")], seed=81,
        config=decoder("nemotron_h", "NemotronHForCausalLM", num_hidden_layers=5, hybrid_override_pattern="ME*-E", head_dim=8, hidden_act=GONE, rms_norm_eps=GONE,
                       rope_theta=GONE, layer_norm_epsilon=1e-5, mamba_num_heads=6, mamba_head_dim=8, n_groups=2, ssm_state_size=4, conv_kernel=4, chunk_size=8,
                       use_conv_bias=True, use_bias=False, mamba_proj_bias=False, mamba_hidden_act="silu", mlp_hidden_act="relu2", mlp_bias=False,
                       attention_bias=False, time_step_min=0.001, time_step_max=0.1, time_step_limit=[0.0, float("inf")], n_routed_experts=8, n_shared_experts=1,
                       moe_shared_expert_intermediate_size=20, moe_latent_size=24, routed_scaling_factor=2.5, pad_token_id=0, **DEEPSEEK),
        note="one block a layer: Mamba-2, attention without positions, squared ReLU experts without gate behind a latent projection"),
    "deepseek_v32": Family(
        "DeepseekV32ForCausalLM", moe={"DeepseekV32TopkRouter": "topk"}, block=("DeepseekV32MoE",), seed=82,
        config=decoder("deepseek_v32", "DeepseekV32ForCausalLM", num_hidden_layers=3, num_key_value_heads=4, first_k_dense_replace=1, n_routed_experts=8,
                       n_shared_experts=1, routed_scaling_factor=2.5, rope_scaling=dict(make_models.DEEPSEEK_YARN), **{**DSA, "n_group": 2}),
        note="DeepSeek-V3 whose sparse index chooses all tokens of texts up to index_topk"),
    "glm_moe_dsa": Family(
        "GlmMoeDsaForCausalLM", moe={"GlmMoeDsaTopkRouter": "topk"}, block=("GlmMoeDsaMoE",), seed=83,
        config=later("glm_moe_dsa", "GlmMoeDsaForCausalLM", num_hidden_layers=3, num_key_value_heads=4, mlp_layer_types=SPARSE, n_routed_experts=8,
                     indexer_types=["full", "shared", "full"], n_shared_experts=1, routed_scaling_factor=2.5, **DSA),
        note="the same, layers that share an index"),
    "flint": Family(
        "FlintForCausalLM", moe={"FlintTopKRouter": "topk"}, block=("FlintSparseMoeBlock",), seed=84,
        config=later("flint", "FlintForCausalLM", num_hidden_layers=3, **QWEN3, norm_topk_prob=True, shared_expert_intermediate_size=20, sliding_window=8,
                     mlp_only_layers=[0], decoder_sparse_step=1, layer_types=["full_attention", "sliding_attention", "full_attention"]),
        note="sigmoid router without bias, sinks, positions in window layers alone, a shared expert without gate"),
    "aria": Family(
        "AriaForConditionalGeneration", moe={"AriaTextTopKRouter": "topk"}, block=("AriaTextMoELayer",), stacks=WRAPPED, seed=85,
        config=wrapped("aria", "AriaForConditionalGeneration",
                       dict(model_type="idefics3_vision", hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=4, patch_size=2),
                       decoder("aria_text", "", intermediate_size=12, moe_num_experts=6, moe_topk=2, moe_num_shared_experts=2, mlp_bias=False,
                               attention_bias=False, tie_word_embeddings=GONE, pad_token_id=0), projector_patch_to_query_dict={"4": 2}, image_token_index=9),
        note="top-2 then softmax, two shared experts as one, experts fused as fc1 and fc2 [E, in, out]"),
    "qwen3_omni_moe_thinker": Family(
        "Qwen3OmniMoeThinkerForConditionalGeneration", moe={"Qwen3OmniMoeThinkerTextTopKRouter": "topk"}, block=("Qwen3OmniMoeThinkerTextSparseMoeBlock",),
        stacks=WRAPPED, seed=86,
        config={**wrapped("qwen3_omni_moe_thinker", "Qwen3OmniMoeThinkerForConditionalGeneration", {**QWEN_VISION, "deepstack_visual_indexes": [0]},
                          decoder("qwen3_omni_moe_text", "", **QWEN3, norm_topk_prob=True, rope_theta=1000000, mlp_only_layers=[], decoder_sparse_step=1,
                                  tie_word_embeddings=GONE, rope_scaling=dict(rope_type="default", **MROPE))),
                "vision_start_token_id": 92, "vision_end_token_id": 93, "image_token_id": 90, "video_token_id": 91, "audio_token_id": 89,
                "audio_config": dict(encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=8, d_model=8, num_mel_bins=8, max_source_positions=8,
                                     n_window=2, output_dim=32, downsample_hidden_size=4, n_window_infer=4, conv_chunksize=4, num_hidden_layers=1)},
        note="text as Qwen3-MoE beside vision and audio towers"),
    "mistral4": Family(
        "Mistral4ForCausalLM", moe={"Mistral4TopkRouter": "topk"}, block=("Mistral4MoE",), seed=87,
        config=later("mistral4", "Mistral4ForCausalLM", num_hidden_layers=3, num_key_value_heads=4, first_k_dense_replace=1, n_routed_experts=8,
                     n_shared_experts=1, routed_scaling_factor=1.5, rope_interleave=True,
                     rope=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=8, beta_fast=32.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0,
                               llama_4_scaling_beta=0.1),
                     **{key: value for key, value in {**DSA, "n_group": 2}.items() if not key.startswith("index_")}),
        note="latent attention whose queries grow with the position, softmax router over 2 groups ranked by their two best"),
}


# their norms are stored around zero: what make_models.py asks by one model_type
ZERO_CENTRED = ("qwen3_5_moe_text", "qwen3_5_moe")


def text_of(family):
    return replace(family, config=family.config.get("text_config", family.config))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", default=OUT, type=Path)
    options = parser.parse_args()
    plain_prompts = make_models.prompts
    make_models.prompts = lambda family, seed: plain_prompts(text_of(family), seed)
    plain_fill = make_models.fill

    def fill(model, family, seed):
        kind = family.config["model_type"]
        plain_fill(model, replace(family, config={"model_type": "qwen3_next" if kind in ZERO_CENTRED else kind}), seed)

    make_models.fill = fill
    plain_save = make_models.save_weights

    def save(model, family, folder):
        plain_save(model, family, folder)
        if family.config["model_type"] == "qwen3_vl_moe":   # published as [E, in, out], which transformers turns while it loads
            path = folder / "model.safetensors"
            turned = {name: value.transpose(1, 2).contiguous() if ".experts." in name else value for name, value in load_file(path).items()}
            save_file(turned, path, metadata={"format": "pt"})

    make_models.save_weights = save
    make_models.torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in options.names or FAMILIES:
        meta = make_models.build(name, FAMILIES[name], options.out)
        size = sum(file.stat().st_size for file in (options.out / name).iterdir())
        print(f"{name:18s} seed {meta['seed']} {size / 1024:5.0f} KiB  noise {meta['noise_float32_vs_float64']['logits']:.1e}"
              f"  greedy gap {meta['smallest_greedy_gap'] or 0:.3f}  logits sd {meta['logits_std']:.2f}", flush=True)


if __name__ == "__main__":
    main()
