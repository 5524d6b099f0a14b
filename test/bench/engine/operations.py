"""The operations of operations.ts in PyTorch, NumPy and SciPy."""
import json, time
import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

torch.manual_seed(1)


def best(work, repeats=20):
    least = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - started)
    return least * 1e3


results = {}


def product(name, a, b):
    results[f"{name}, GF/s"] = round(2 * a.numel() * b.shape[-1] / best(lambda: a @ b) / 1e6)


for n in (256, 512, 1024, 2048):
    product(f"matmul {n}", torch.randn(n, n), torch.randn(n, n))
product("matmul 1024, a transposed", torch.randn(1024, 1024).T, torch.randn(1024, 1024))
product("matmul 1024, b transposed", torch.randn(1024, 1024), torch.randn(1024, 1024).T)
product("matmul [8,256,256]", torch.randn(8, 256, 256), torch.randn(8, 256, 256))
product("matmul [8,256,256], b transposed", torch.randn(8, 256, 256), torch.randn(8, 256, 256).mT)
product("matmul [64,64,32] x its like, b transposed", torch.randn(64, 64, 32), torch.randn(64, 64, 32).mT)
small, other = torch.randn(8), torch.randn(8)
results["add of 8 numbers, us"] = round(best(lambda: [torch.add(small, other) for _ in range(1000)]), 2)
copy = torch.randn(64 * 2**20 // 4)
results["memory bandwidth of a copy, GB/s"] = round(2 * 64e6 / best(lambda: copy * 1, 10) / 1e6, 1)
a = np.random.default_rng(1).standard_normal((1024, 1024))
results["svd 1024, ms"] = round(best(lambda: np.linalg.svd(a, full_matrices=False), 2))
results["eigh 1024, ms"] = round(best(lambda: np.linalg.eigh(a + a.T), 2))
for n in (1024, 3072):
    score = np.random.default_rng(1).standard_normal((n, n))
    results[f"assignment {n}, ms"] = round(best(lambda: linear_sum_assignment(score, maximize=True), 2))
codes = torch.zeros(128_000_000, dtype=torch.bfloat16)
results["bf16 to f32, GB/s read"] = round(256e6 / best(lambda: codes.float(), 3) / 1e6, 2)
print(json.dumps(results))
