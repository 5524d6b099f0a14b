"""The operations of operations.ts in PyTorch, asked for in the same way."""
import json
import sys
import torch
from best import best

torch.manual_seed(1)
random, cases = torch.randn, {}


def product(name, left, right, transpose_a=False, transpose_b=False):
    def run():
        a, b = random(*left), random(*right)
        a, b = a.mT if transpose_a else a, b.mT if transpose_b else b
        batch = max(a.numel() // (a.shape[-2] * a.shape[-1]), b.numel() // (b.shape[-2] * b.shape[-1]))
        return 2 * batch * a.shape[-2] * a.shape[-1] * b.shape[-1] / best(lambda: a @ b, 50) / 1e6

    cases[f"{name}, GF/s"] = run


for n in (256, 512, 1024, 2048):
    product(f"nn {n}", (n, n), (n, n))
for n in (512, 1024):
    product(f"nt {n}", (n, n), (n, n), False, True)
    product(f"tn {n}", (n, n), (n, n), True)
    product(f"tt {n}", (n, n), (n, n), True, True)
product("batched nn [8,256,256]", (8, 256, 256), (8, 256, 256))
product("batched nt [8,256,256]", (8, 256, 256), (8, 256, 256), False, True)
product("batched tn [8,256,256]", (8, 256, 256), (8, 256, 256), True)
product("batched tt [8,256,256]", (8, 256, 256), (8, 256, 256), True, True)
product("attention nt [64,64,32]", (64, 64, 32), (64, 64, 32), False, True)
product("broadcast [8,256,256] x [256,256]", (8, 256, 256), (256, 256))
product("broadcast [256,256] x [8,256,256]", (256, 256), (8, 256, 256))
product("vector [1,2048] x [2048,2048]", (1, 2048), (2048, 2048))
product("vector [2048,2048] x [2048,1]", (2048, 2048), (2048, 1))


def tiny():
    small, other = random(8), random(8)
    return 1 / best(lambda: torch.add(small, other), 100)


def copy():
    numbers = torch.zeros(64 * 2**20 // 4)
    return 2 * numbers.numel() * 4 / best(lambda: numbers * 1, 50) / 1e6


def widen():
    codes = torch.zeros(128_000_000, dtype=torch.bfloat16)
    return 256e6 / best(lambda: codes.float(), 100) / 1e6


cases |= {"tiny add, per ms": tiny, "copy, GB/s read and written": copy, "bf16 to f32, GB/s read": widen}
print(json.dumps(dict(backend="pytorch", version=torch.__version__, cases=list(cases))), flush=True)
for line in sys.stdin:
    print(json.dumps(cases[line.strip()]()), flush=True)
