"""The work of forward.ts with transformers, PyTorch and SciPy.
usage: forward.py FOLDER make                     writes the random checkpoint
       forward.py FOLDER forward DTYPE EXPERTS    DTYPE float32|bfloat16, EXPERTS eager|grouped_mm
       forward.py FOLDER merge DTYPE EXPERTS"""
import json, sys, time
from pathlib import Path
import torch
import transformers
from transformers import AutoModelForCausalLM, OlmoeConfig, OlmoeForCausalLM

folder, job = Path(sys.argv[1]), sys.argv[2]
B, T, REPEATS, PROFILED, KEEP = 4, 256, 5, 8192, 8
torch.set_num_threads(2)

if job == "make":
    torch.manual_seed(0)
    model = OlmoeForCausalLM(OlmoeConfig(vocab_size=8192, hidden_size=512, intermediate_size=256, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=8,
                                         num_experts=32, num_experts_per_tok=4, max_position_embeddings=2048, norm_topk_prob=False, rms_norm_eps=1e-5, pad_token_id=1, eos_token_id=2))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("gate.weight"):
                parameter.normal_(0, 0.06)
    model.to(torch.bfloat16).save_pretrained(folder)
    sys.exit()

vocab = json.loads((folder / "config.json").read_text())["vocab_size"]
state = 1


def ids():
    global state
    rows = []
    for _ in range(B * T):
        state = (1664525 * state + 1013904223) % 2**32
        rows.append((state >> 8) % vocab)
    return torch.tensor(rows).view(B, T)


def seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_mib():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)


batch = ids()
dtype, experts = sys.argv[3], sys.argv[4]
result = dict(backend=f"transformers {dtype} {experts}", version=f"{transformers.__version__}, torch {torch.__version__}")
started = time.perf_counter()
model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), experts_implementation=experts).eval()


@torch.inference_mode()
def run(input=batch):
    return model(input, use_cache=False).logits[0, 0, :4].tolist()


@torch.inference_mode()
def profile():
    """Tokens of each expert, and the products of router-logit columns."""
    usage, gram = {}, {}

    def see(layer):
        def hook(module, args, output):
            logits = output[0].float()
            chosen = output[-1] if output[-1].dtype == torch.long else logits.topk(module.top_k).indices
            usage[layer] = usage.get(layer, 0) + torch.bincount(chosen.flatten(), minlength=logits.shape[1])
            gram[layer] = gram.get(layer, 0) + logits.T @ logits
        return hook

    handles = [layer.mlp.gate.register_forward_hook(see(i)) for i, layer in enumerate(model.model.layers)]
    for _ in range(PROFILED // (B * T)):
        model(ids(), use_cache=False)
    for handle in handles:
        handle.remove()
    return usage, gram


@torch.inference_mode()
def merge(usage, gram):
    """M-SMoE: the most used experts lead, the others join the one whose router logits are most alike, aligned by weight matching."""
    from scipy.optimize import linear_sum_assignment
    for i, layer in enumerate(model.model.layers):
        bank, norm = layer.mlp.experts, gram[i].diagonal().sqrt()
        alike = gram[i] / (norm[:, None] * norm + 1e-7)
        leaders = usage[i].argsort(descending=True, stable=True)[:KEEP]
        group = leaders[alike[:, leaders].argmax(1)]
        group[leaders] = leaders
        up, down = bank.gate_up_proj.data, bank.down_proj.data
        F = down.shape[2]
        for leader in leaders.tolist():
            members = [leader] + [e for e in (group == leader).nonzero().flatten().tolist() if e != leader]
            weights = usage[i][members].float() / usage[i][members].sum()
            total_up, total_down = up[leader].float() * weights[0], down[leader].float() * weights[0]
            for member, weight in zip(members[1:], weights[1:]):
                score = up[leader, :F].float() @ up[member, :F].float().T + up[leader, F:].float() @ up[member, F:].float().T + down[leader].float().T @ down[member].float()
                order = torch.from_numpy(linear_sum_assignment(score.numpy(), maximize=True)[1])
                total_up += weight * torch.cat([up[member, :F][order], up[member, F:][order]]).float()
                total_down += weight * down[member][:, order].float()
            up[leader], down[leader] = total_up.to(up.dtype), total_down.to(down.dtype)
        stay, place = leaders.sort().values, torch.zeros(len(group), dtype=torch.long)
        place[stay] = torch.arange(KEEP)
        bank.gate_up_proj = torch.nn.Parameter(up[stay].clone(), requires_grad=False)
        bank.down_proj = torch.nn.Parameter(down[stay].clone(), requires_grad=False)
        bank.num_experts = KEEP

        def redirect(module, args, places=place[group]):
            return (args[0], places[args[1]], *args[2:])
        bank.register_forward_pre_hook(redirect)
    run()


if job == "forward":
    first = run()
    loaded = time.perf_counter() - started
    times = sorted(seconds(run) for _ in range(REPEATS))
    print(json.dumps(dict(**result, loadSeconds=loaded, tokensPerSecond=round(B * T / times[REPEATS // 2]), best=round(B * T / times[0]), logits=first, peakMib=peak_mib())))
else:
    run()
    measured = []
    profiled = seconds(lambda: measured.extend(profile()))
    merged = seconds(lambda: merge(*measured))
    print(json.dumps(dict(**result, profileSeconds=profiled, mergeSeconds=merged, seconds=profiled + merged, peakMib=peak_mib())))
