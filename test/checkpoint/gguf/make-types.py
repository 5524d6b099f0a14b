"""Makes types.gguf, a row of two or more blocks of every type that gguf for Python dequantises, and what it makes of them.

    pip install gguf==0.19.0 safetensors && python make-types.py
"""
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, GGUFWriter
from gguf.quants import dequantize
from safetensors.numpy import save_file

here = Path(__file__).parent
rng = np.random.default_rng(7)
writer = GGUFWriter(here / "types.gguf", "olmoe")
writer.add_block_count(1)
# byte offsets of the halves of a block, and where they are not the first
HALVES = {"Q4_1": (0, 2), "Q5_1": (0, 2), "Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,),
          "TQ1_0": (52,), "TQ2_0": (64,), "MXFP4": (), "NVFP4": (), "IQ1_M": ()}
expected = {}
for kind in Type:
    if kind.name[0] not in "QITMN" or not kind.name[1:2].isalnum():
        continue
    size, width = GGML_QUANT_SIZES[kind]
    if size == 1:
        continue
    blocks = rng.integers(0, 256, size=(2 * max(1, 256 // size), width), dtype=np.uint8)
    for at in HALVES.get(kind.name, (0,)):
        blocks[:, at:at + 2] = rng.normal(size=(len(blocks), 1)).astype(np.float16).view(np.uint8)
    if kind.name == "MXFP4":
        blocks[:, 0] = rng.integers(110, 135, size=len(blocks))
    if kind.name == "NVFP4":
        blocks[:, :4] &= 0x7F
    if kind.name == "IQ1_M":  # the half lies in the upper four bits of the last four words
        half = rng.normal(size=len(blocks)).astype(np.float16).view(np.uint16)
        for word in range(4):
            high = 48 + 2 * word + 1
            blocks[:, high] = (blocks[:, high] & 0x0F) | (((half >> (4 * word)) & 15) << 4)
    try:
        values = dequantize(blocks.reshape(1, -1), kind)
    except NotImplementedError:
        continue
    name = f"blk.0.{kind.name.lower()}.weight"
    writer.add_tensor(name, blocks.reshape(1, -1), raw_dtype=kind)
    expected[name] = np.ascontiguousarray(values.astype(np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file(expected, here / "types.expected.safetensors")
print(len(expected), "types:", *expected)
