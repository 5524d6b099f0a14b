"""Writes test/fixtures/logits-processors.json: probabilities of the next token as transformers' generate makes them.

python3 .ci/logits-processors.py   (transformers and torch installed)
"""
import json
import pathlib

import torch
import transformers
from transformers import (AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig, LlamaConfig,
                          LlamaForCausalLM)

torch.manual_seed(7)
VOCABULARY = 48
model = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                                     num_attention_heads=1, num_key_value_heads=1))
SETTINGS = [
    {"temperature": 1.0}, {"temperature": 0.3}, {"temperature": 2.5}, {"top_k": 1}, {"top_k": 5}, {"top_k": 400},
    {"top_p": 0.05}, {"top_p": 0.5}, {"top_p": 0.95}, {"top_p": 1.0}, {"min_p": 0.02}, {"min_p": 0.5},
    {"repetition_penalty": 1.3}, {"repetition_penalty": 0.7},
    {"temperature": 0.7, "top_k": 12, "top_p": 0.8, "min_p": 0.05, "repetition_penalty": 1.2},
    {"temperature": 1.7, "top_k": 30, "top_p": 0.6}, {"temperature": 1.4, "top_p": 0.9, "min_p": 0.2},
]
cases = []
for number, setting in enumerate(SETTINGS):
    logits = 3 * torch.randn(2, VOCABULARY)
    ids = torch.randint(0, VOCABULARY, (2, 9))
    config = GenerationConfig(do_sample=True, **{"top_k": 0, "top_p": 1.0, "temperature": 1.0, **setting})
    processors = model._get_logits_processor(generation_config=config, input_ids_seq_length=9, encoder_input_ids=ids,
                                             logits_processor=[], device="cpu", model_kwargs={})
    scores = processors(ids, logits.clone())
    cases.append({"setting": setting, "logits": logits.tolist(), "ids": ids.tolist(),
                  "probabilities": torch.softmax(scores, -1).tolist()})

fixtures = pathlib.Path(__file__).parent.parent / "test" / "fixtures"
penalized = []
for name, kind in [("olmoe", AutoModelForCausalLM), ("switch_transformers", AutoModelForSeq2SeqLM)]:
    network = kind.from_pretrained(fixtures / "models" / name, dtype=torch.float32).eval()
    ids = torch.tensor([[5, 9, 2, 17, 30]])
    out = network.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=10,
                           repetition_penalty=1.8, eos_token_id=[])[0].tolist()
    penalized.append({"model": name, "ids": ids[0].tolist(), "repetition_penalty": 1.8,
                      "added": out[1:] if kind is AutoModelForSeq2SeqLM else out[5:]})
path = fixtures / "logits-processors.json"
path.write_text(json.dumps({"transformers": transformers.__version__, "cases": cases, "penalized": penalized}) + "\n")
