"""Unpacks with compressed-tensors what export-packed.ts wrote and compares weights; loads it with transformers and compares logits.

    python .ci/check-packed.py FOLDER

transformers 5.24 has no room for packed zeros (it makes them in the shape of unpacked ones), nor for zeros of fused experts:
where there are some, weights alone are compared.
"""
import json
import sys
from pathlib import Path

import torch
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationConfig
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

equal = wrong = 0


def count(what, difference, limit):
    global equal, wrong
    print(f"{what}: {'equal' if difference < limit else 'NOT equal'} ({difference:.1e})")
    equal, wrong = equal + (difference < limit), wrong + (not difference < limit)


for folder in sorted(Path(sys.argv[1]).iterdir()):
    wanted = json.loads((folder / "moelab-logits.json").read_text())
    config = QuantizationConfig.model_validate(json.loads((folder / "config.json").read_text())["quantization_config"])
    stored, restored = load_file(folder / "model.safetensors"), load_file(folder / "restored" / "model.safetensors")
    schemes = list(config.config_groups.values())
    worst = 0
    modules = [name.removesuffix(".weight_packed") for name in stored if name.endswith(".weight_packed")]
    for module in modules:
        scheme = schemes[0] if len(schemes) == 1 else next(each for each in schemes if module in each.targets)
        parts = {name: stored[f"{module}.{name}"] for name in
                 ("weight_packed", "weight_scale", "weight_shape", "weight_zero_point", "weight_g_idx") if f"{module}.{name}" in stored}
        weight = PackedQuantizationCompressor.decompress(parts, scheme)["weight"].float()
        # the package rounds the product of code and scale to float16
        worst = max(worst, ((weight - restored[f"{module}.weight"]).abs() / (weight.abs() + 1e-4)).max().item())
    count(f"{folder.name}: {len(modules)} weights", worst if modules else float("inf"), 1e-3)
    if any(name.endswith("weight_zero_point") for name in stored):
        continue
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        with torch.no_grad():
            seen = model(torch.tensor(wanted["ids"])).logits.flatten()
        difference = (seen - torch.tensor(wanted["logits"])).abs().max().item()
    except Exception as error:  # a failure, with its reason
        difference = float("inf")
        print(f"{folder.name}: {type(error).__name__}: {str(error)[:200]}")
    count(f"{folder.name}: logits", difference, 0.05)  # 0.03 in the fixtures that the package wrote itself
print(f"exports: {equal} equal, {wrong} not")
