"""Loads with peft what export-adapters.ts wrote, and compares logits.

    python .ci/check-adapters.py FOLDER
"""
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

equal = wrong = 0
for folder in sorted(Path(sys.argv[1]).iterdir()):
    wanted = json.loads((folder / "moelab-logits.json").read_text())
    kind = AutoModelForMaskedLM if AutoConfig.from_pretrained(wanted["base"]).model_type == "bert" else AutoModelForCausalLM
    base = kind.from_pretrained(wanted["base"], dtype=torch.float32, attn_implementation="eager")
    ids = torch.tensor(wanted["ids"])
    with torch.no_grad():
        plain = base(input_ids=ids).logits.clone()
        seen = PeftModel.from_pretrained(base, folder).eval()(input_ids=ids).logits
    difference = (seen.flatten() - torch.tensor(wanted["logits"])).abs().max().item()
    right = difference < 1e-4 and (seen - plain).abs().max().item() > 1e-2
    print(f"{folder.name}: {'equal' if right else 'NOT equal'} ({difference:.1e})")
    equal, wrong = equal + right, wrong + (not right)
print(f"exports: {equal} equal, {wrong} not")
