"""Makes tiny.gguf and tiny.expected.safetensors, the same tensors dequantised by the reference.

    pip install gguf==0.19.0 safetensors && python make-golden.py
"""
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type, GGUFWriter
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

here = Path(__file__).parent
rng = np.random.default_rng(3)
writer = GGUFWriter(here / "tiny.gguf", "olmoe")
writer.add_block_count(2)
writer.add_expert_count(4)
writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
expected = {}


def add(name, kind, data, shape):
    writer.add_tensor(name, data, raw_shape=None, raw_dtype=kind)
    expected[name] = dequantize(data, kind).reshape(shape)


def half(*shape):
    return rng.normal(size=shape).astype(np.float16).view(np.uint8)


weights = rng.normal(size=(3, 512)).astype(np.float32)
for kind in (Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0):
    add(f"blk.0.{kind.name.lower()}.weight", kind, quantize(weights, kind), weights.shape)
# the reference can not quantise to these: random codes, with both scales of a block as normal halves
raw = rng.integers(0, 256, size=(3 * 2, 144), dtype=np.uint8)
raw[:, 0:2], raw[:, 2:4] = half(6, 1), half(6, 1)
add("blk.0.q4_k.weight", Type.Q4_K, raw.reshape(3, 288), (3, 512))
raw = rng.integers(0, 256, size=(3 * 2, 210), dtype=np.uint8)
raw[:, 208:210] = half(6, 1)
add("blk.0.q6_k.weight", Type.Q6_K, raw.reshape(3, 420), (3, 512))
# experts of a layer in one tensor
experts = rng.normal(size=(4, 2, 32)).astype(np.float32)
add("blk.1.ffn_up_exps.weight", Type.Q8_0, quantize(experts, Type.Q8_0), experts.shape)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file({name: np.ascontiguousarray(value.astype(np.float32)) for name, value in expected.items()}, here / "tiny.expected.safetensors")
