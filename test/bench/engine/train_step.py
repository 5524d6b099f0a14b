"""The same model and steps in plain PyTorch, written the fast way: fused AdamW, rms_norm,
scaled_dot_product_attention, one product per expert on its tokens.
usage: train_step.py narrow|wide STEPS"""
import json, sys, time
import torch
import torch.nn.functional as F_

SIZES = {
    "narrow": dict(V=64, D=128, L=4, H=4, T=64, B=16, E=8, F=256, K=2),
    "wide": dict(V=64, D=512, L=4, H=8, T=256, B=16, E=16, F=1024, K=2),
}
size, steps = sys.argv[1], int(sys.argv[2])
V, D, L, H, T, B, E, F, K = (SIZES[size][name] for name in "VDLHTBEFK")
N = B * T
torch.manual_seed(1)
weights = {}


def normal(name, *shape, deviation=0.05):
    weights[name] = (torch.randn(*shape) * deviation).requires_grad_()


normal("embed", V, D, deviation=0.1)
normal("position", T, D, deviation=0.1)
normal("head", D, V)
weights["norm"] = torch.ones(D, requires_grad=True)
for l in range(L):
    normal(f"qkv{l}", D, 3 * D)
    normal(f"o{l}", D, D)
    normal(f"router{l}", D, E, deviation=0.1)
    for e in range(E):
        normal(f"up{l}.{e}", D, F)
        normal(f"down{l}.{e}", F, D)
    for name in ("attention_norm", "ffn_norm"):
        weights[f"{name}{l}"] = torch.ones(D, requires_grad=True)


def norm(x, gain):
    return F_.rms_norm(x, (D,), gain, 1e-5)


def moe(x, l):
    top = torch.softmax(x @ weights[f"router{l}"], -1).topk(K)
    gates = top.values / top.values.sum(-1, keepdim=True)
    out = torch.zeros_like(x)
    for e in range(E):
        token, k = (top.indices == e).nonzero(as_tuple=True)
        if len(token):
            y = F_.silu(x[token] @ weights[f"up{l}.{e}"]) @ weights[f"down{l}.{e}"]
            out = out.index_add(0, token, y * gates[token, k, None])
    return out


def loss(tokens, labels):
    x = (weights["embed"][tokens].view(B, T, D) + weights["position"]).view(N, D)
    for l in range(L):
        q, k, v = (norm(x, weights[f"attention_norm{l}"]) @ weights[f"qkv{l}"]).view(B, T, 3, H, D // H).permute(2, 0, 3, 1, 4)
        out = F_.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + out.transpose(1, 2).reshape(N, D) @ weights[f"o{l}"]
        x = x + moe(norm(x, weights[f"ffn_norm{l}"]), l)
    return F_.cross_entropy(norm(x, weights["norm"]) @ weights["head"], labels)


optimiser = torch.optim.AdamW(weights.values(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
text = torch.tensor([(i * i * 7 + (i >> 3) * 13) % 97 % V for i in range(65536)])
times = []
for step in range(steps + 2):
    starts = [(step * 977 + b * 4001) % 60000 for b in range(B)]
    tokens = torch.cat([text[s : s + T] for s in starts])
    labels = torch.cat([text[s + 1 : s + T + 1] for s in starts])
    started = time.perf_counter()
    value = loss(tokens, labels)
    optimiser.zero_grad()
    value.backward()
    optimiser.step()
    last = value.item()
    if step >= 2:
        times.append(time.perf_counter() - started)
times.sort()
print(json.dumps(dict(backend="pytorch", version=torch.__version__, tokensPerSecond=round(N / times[len(times) // 2]), best=round(N / times[0]), loss=last)))
