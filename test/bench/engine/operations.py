"""The operations of operations.ts in PyTorch."""
import json
import torch
from best import best

torch.manual_seed(1)
random, results = torch.randn, {}


def product(name, a, b):
    batch = max(a.numel() // (a.shape[-2] * a.shape[-1]), b.numel() // (b.shape[-2] * b.shape[-1]))
    results[f"{name}, GF/s"] = 2 * batch * a.shape[-2] * a.shape[-1] * b.shape[-1] / best(lambda: a @ b, 150) / 1e6


for n in (256, 512, 1024, 2048):
    product(f"nn {n}", random(n, n), random(n, n))
for n in (512, 1024):
    product(f"nt {n}", random(n, n), random(n, n).mT)
    product(f"tn {n}", random(n, n).mT, random(n, n))
    product(f"tt {n}", random(n, n).mT, random(n, n).mT)
product("batched nn [8,256,256]", random(8, 256, 256), random(8, 256, 256))
product("batched nt [8,256,256]", random(8, 256, 256), random(8, 256, 256).mT)
product("batched tn [8,256,256]", random(8, 256, 256).mT, random(8, 256, 256))
product("batched tt [8,256,256]", random(8, 256, 256).mT, random(8, 256, 256).mT)
product("attention nt [64,64,32]", random(64, 64, 32), random(64, 64, 32).mT)
product("broadcast [8,256,256] x [256,256]", random(8, 256, 256), random(256, 256))
product("broadcast [256,256] x [8,256,256]", random(256, 256), random(8, 256, 256))
product("vector [1,2048] x [2048,2048]", random(1, 2048), random(2048, 2048))
product("vector [2048,2048] x [2048,1]", random(2048, 2048), random(2048, 1))
small, other = random(8), random(8)
results["tiny add, per ms"] = 100 / best(lambda: [torch.add(small, other) for _ in range(100)], 1000)
copy = random(64 * 2**20 // 4)
results["copy, GB/s read and written"] = 2 * copy.numel() * 4 / best(lambda: copy * 1, 200) / 1e6
codes = torch.zeros(128_000_000, dtype=torch.bfloat16)
results["bf16 to f32, GB/s read"] = 256e6 / best(lambda: codes.float(), 500) / 1e6
print(json.dumps(dict(backend="pytorch", version=torch.__version__, results=results)))
