"""Tiny models in the quantised forms that DeepSeek-V3 and gpt-oss are published in, with transformers' outputs.

    PYTHONPATH=../shared/fixtures python .ci/quantized-models.py FOLDER [NAME ...]

The outputs are those of the weights that the codes stand for, restored here with torch (fp8) and by transformers'
own function (MXFP4). The folders have the form of the fixtures.
"""
import json
import sys
from pathlib import Path

import make_models
import torch
from make_models import variant
from safetensors.torch import load_file, save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

BLOCK = 128


def fp8(tensors):
    """Every matrix of a layer but the router's as E4M3 codes with one scale per block of 128 x 128, the rest in bfloat16."""
    stored, restored = {}, {}
    for name, value in tensors.items():
        if value.dim() != 2 or ".layers." not in name or name.endswith("mlp.gate.weight"):
            keep = value if name.endswith("e_score_correction_bias") else value.to(torch.bfloat16)
            stored[name], restored[name] = keep, keep.float()
            continue
        rows, columns = value.shape
        scales = torch.empty(-(-rows // BLOCK), -(-columns // BLOCK))
        codes, whole = torch.empty_like(value, dtype=torch.float8_e4m3fn), torch.empty_like(value)
        for i in range(scales.shape[0]):
            for j in range(scales.shape[1]):
                part = slice(i * BLOCK, (i + 1) * BLOCK), slice(j * BLOCK, (j + 1) * BLOCK)
                scales[i, j] = value[part].abs().max() / 448
                codes[part] = (value[part] / scales[i, j]).to(torch.float8_e4m3fn)
                whole[part] = codes[part].float() * scales[i, j]
        stored[name], stored[f"{name}_scale_inv"], restored[name] = codes, scales, whole
    return stored, restored


def mxfp4(tensors):
    """The experts' matrices as pairs of 4-bit codes with one power of two per 32 of them, the rest in bfloat16."""
    generator = torch.Generator().manual_seed(5)
    stored, restored = {}, {}
    for name, value in tensors.items():
        if not name.endswith(("gate_up_proj", "down_proj")):
            stored[name] = value.to(torch.bfloat16)
            restored[name] = stored[name].float()
            continue
        experts, inputs, outputs = value.shape
        blocks = torch.randint(0, 256, (experts, outputs, inputs // 32, 16), generator=generator, dtype=torch.uint8)
        scales = torch.randint(120, 123, (experts, outputs, inputs // 32), generator=generator, dtype=torch.uint8)
        stored[f"{name}_blocks"], stored[f"{name}_scales"] = blocks, scales
        restored[name] = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32).contiguous()
    return stored, restored


MODELS = {
    "deepseek_v3-fp8": (fp8, variant("deepseek_v3", seed=201, std=0.12, config=dict(hidden_size=160, intermediate_size=144, moe_intermediate_size=136)),
                        dict(quant_method="fp8", fmt="e4m3", activation_scheme="dynamic", weight_block_size=[BLOCK, BLOCK])),
    "gpt_oss-mxfp4": (mxfp4, variant("gpt_oss", seed=202, config=dict(hidden_size=64, intermediate_size=32, num_attention_heads=8)),
                      dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"])),
}


def main():
    root = Path(sys.argv[1])
    make_models.torch.set_num_threads(1)
    make_models.transformers.logging.set_verbosity_error()
    make_models.transformers.logging.disable_progress_bar()
    save_weights = make_models.save_weights
    for name, (quantize, family, quantization) in ((name, MODELS[name]) for name in sys.argv[2:] or MODELS):
        stored = {}

        def save_restored(model, family, folder):
            save_weights(model, family, folder)
            path = folder / "model.safetensors"
            tensors, restored = quantize(load_file(path))
            stored.clear()
            stored.update(tensors)
            save_file(restored, path, metadata={"format": "pt"})

        make_models.save_weights = save_restored
        meta = make_models.build(name, family, root)
        save_file(stored, root / name / "model.safetensors", metadata={"format": "pt"})
        config = json.loads((root / name / "config.json").read_text())
        make_models.write_json(root / name / "config.json", {**config, "quantization_config": quantization})
        print(f"{name:34s} seed {meta['seed']}  noise {meta['noise_float32_vs_float64']['logits']:.1e}", flush=True)


if __name__ == "__main__":
    main()
