"""Models with other seeds and shapes than the oracles', and what methods make of them, computed here from their definitions.

    python .ci/held-out-methods.py FOLDER [--models N]

Each folder is a checkpoint with `methods.json`: a batch, the logits of the model, and for each method with its options
the logits of the model that it makes. Switch: M-SMoE (arXiv:2310.01334) with every weighting and alignment that its code
has. Mixtral: REAP and frequency (arXiv:2510.13999), NAEE (arXiv:2402.14800), HC-SMoE (arXiv:2410.08589), with padding.
"""
import argparse
import itertools
import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment
from transformers import MixtralConfig, MixtralForCausalLM, SwitchTransformersConfig, SwitchTransformersForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

EPSILON = 1e-7   # added to a sum of weights, as the released code does
VOCABULARY = 40


# --------------------------------------------------------------------------------------------------------------- #
# Switch
# --------------------------------------------------------------------------------------------------------------- #
def switch(seed):
    """Experts are noisy copies of two, in orders of their own, so that alignment and grouping have something to find."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    E, D, F, L = (int(rng.choice(choices)) for choices in ((4, 6, 8, 12), (8, 12, 16), (10, 14, 24), (2, 4, 6)))
    model = SwitchTransformersForConditionalGeneration(SwitchTransformersConfig(
        vocab_size=VOCABULARY, d_model=D, d_ff=F, d_kv=4, num_heads=2, num_layers=L, num_decoder_layers=L, num_sparse_encoder_layers=L // 2,
        num_sparse_decoder_layers=L // 2, num_experts=E, expert_capacity=64, decoder_start_token_id=0, router_jitter_noise=0.0)).eval()
    for block in moe_blocks(model).values():
        two = [(torch.randn(F, D) * 0.4, torch.randn(D, F) * 0.4) for _ in range(2)]
        block.router.classifier.weight.data.copy_(torch.randn(E, D) * 0.6)
        for expert in block.experts.values():
            wi, wo = two[int(rng.integers(2))]
            order = torch.randperm(F)
            expert.wi.weight.data.copy_(wi[order] + 0.1 * torch.randn(F, D))
            expert.wo.weight.data.copy_(wo[:, order] + 0.1 * torch.randn(D, F))
    ids, labels = torch.randint(1, VOCABULARY, (6, 12)), torch.randint(1, VOCABULARY, (6, 9))
    given = dict(input_ids=ids, decoder_input_ids=torch.cat([torch.zeros(6, 1, dtype=torch.long), labels[:, :-1]], 1))
    return model, given, list(m_smoe(model, given))


def m_smoe(model, given):
    blocks = moe_blocks(model)
    inputs = inputs_of(model, blocks, given)
    logits = {name: (inputs[name] @ block.router.classifier.weight.T).double() for name, block in blocks.items()}
    usage = {name: torch.bincount(rows.argmax(-1), minlength=rows.shape[1]).double() / len(rows) for name, rows in logits.items()}
    unit = {name: rows / rows.norm(dim=0, keepdim=True) for name, rows in logits.items()}
    aligned = deepcopy(model)
    for block in moe_blocks(aligned).values():
        first, *others = block.experts.values()
        for other in others:
            reorder(other, matched(first, other))
    for keep in (2, 3):
        groups = grouped(usage, {name: rows.T @ rows for name, rows in unit.items()}, keep)
        for variant in ({}, {"weights": "reversed"}, {"weights": "uniform"}, {"alignTo": "lowest"}, {"align": "none"}, {"align": "zip"}, {"result": "leader"}):
            merged = deepcopy(model if variant in ({"align": "none"}, {"result": "leader"}) else aligned)
            for name, block in list(moe_blocks(merged).items())[1:]:   # the first MoE layer stays as it is
                leaders, labels = groups[name]
                for group, leader in enumerate(leaders):
                    members = [expert for expert, label in enumerate(labels) if label == group]
                    weights = {"reversed": 1 - usage[name], "uniform": torch.ones(len(labels))}.get(variant.get("weights"), usage[name])
                    merge([block.experts[f"expert_{e}"] for e in members], [float(weights[e]) for e in members], variant, members.index(leader))
            yield dict(method="m-smoe", keep=keep, **variant), merged


def grouped(usage, alike, keep):
    """Leaders by usage over all layers, the most used expert of a layer counting 1, the first layer fully; then everyone joins the most similar."""
    raised = {}
    for at, (name, shares) in enumerate(usage.items()):
        raised[name] = torch.ones_like(shares) if at == 0 else shares.clone().index_fill(0, shares.argmax(), 1.0)
    falling = torch.sort(torch.cat(list(raised.values())), descending=True).values
    threshold = falling[keep * (len(usage) - 1) + len(next(iter(usage.values())))]
    groups = {}
    for name, shares in usage.items():
        count = int((raised[name] > threshold).sum())
        leaders = sorted(range(len(shares)), key=lambda e: (-float(shares[e]), e))[:count]
        groups[name] = leaders, [leaders.index(e) if e in leaders else int(alike[name][e, leaders].argmax()) for e in range(len(shares))]
    return groups


def merge(experts, weights, variant, leader):
    if variant.get("result") == "leader":
        wi, wo = experts[leader].wi.weight.data.clone(), experts[leader].wo.weight.data.clone()
    elif variant.get("align") == "zip":
        wi, wo = zipped(experts, weights)
    else:
        if variant.get("alignTo") == "lowest":
            for other in experts[1:]:
                reorder(other, matched(experts[0], other))
        total = sum(weights) + EPSILON
        wi, wo = (sum(getattr(expert, part).weight.data.double() * weight for expert, weight in zip(experts, weights)) / total for part in ("wi", "wo"))
    for expert in experts:
        expert.wi.weight.data, expert.wo.weight.data = wi.float().clone(), wo.float().clone()


def zipped(experts, weights):
    """The two neurons with the largest product become one, until one expert's width is left."""
    F = len(experts[0].wi.weight)
    neurons = torch.cat([torch.cat([expert.wi.weight.data, expert.wo.weight.data.T], 1) for expert in experts]).double()
    mass = [weight for weight in weights for _ in range(F)]
    while len(neurons) > F:
        products = (neurons @ neurons.T).fill_diagonal_(-torch.inf)
        one, other = sorted(divmod(int(products.argmax()), len(neurons)))
        neurons[one] = (mass[one] * neurons[one] + mass[other] * neurons[other]) / (mass[one] + mass[other] + EPSILON)
        mass[one] += mass.pop(other)
        neurons = torch.cat([neurons[:other], neurons[other + 1:]])
    D = experts[0].wi.weight.shape[1]
    return neurons[:, :D], neurons[:, D:].T


def matched(reference, target):
    worth = reference.wi.weight @ target.wi.weight.T + reference.wo.weight.T @ target.wo.weight
    return torch.tensor(linear_sum_assignment(worth.detach().double().numpy(), maximize=True)[1])


def reorder(expert, order):
    expert.wi.weight.data, expert.wo.weight.data = expert.wi.weight.data[order], expert.wo.weight.data[:, order]


# --------------------------------------------------------------------------------------------------------------- #
# Mixtral
# --------------------------------------------------------------------------------------------------------------- #
def mixtral(seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    E, D, F, L, K, heads = (int(rng.choice(choices)) for choices in ((4, 5, 6, 8), (8, 12, 16), (10, 14), (1, 2, 3), (1, 2, 3), (1, 2)))
    model = MixtralForCausalLM(MixtralConfig(
        vocab_size=VOCABULARY, hidden_size=D, intermediate_size=F, num_hidden_layers=L, num_attention_heads=2, num_key_value_heads=heads,
        num_local_experts=E, num_experts_per_tok=K, experts_implementation="eager")).eval()
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            weight.data.normal_(0, 0.7 if name.endswith("gate.weight") else 0.35)
    ids, mask = torch.randint(1, VOCABULARY, (4, 11)), torch.ones(4, 11, dtype=torch.long)
    mask[1, 7:] = mask[3, 9:] = 0
    given = dict(input_ids=ids, attention_mask=mask)
    return model, given, list(of_mixtral(model, given, E, K))


def of_mixtral(model, given, E, K):
    blocks = moe_blocks(model)
    real = given["attention_mask"].flatten().bool()
    seen = []
    for name, inputs in inputs_of(model, blocks, given).items():
        block, x = blocks[name], inputs[real]
        logits = x @ block.gate.weight.T
        outputs = torch.stack([run(block, e, x) for e in range(E)], 1)
        probabilities = logits.softmax(-1)
        chosen = torch.zeros_like(probabilities).scatter_(1, logits.topk(K).indices, 1.0)
        counts = chosen.sum(0)
        seen.append(dict(logits=logits, outputs=outputs, frequency=counts, reap=(outputs.norm(dim=-1) * probabilities * chosen).sum(0) / counts.clamp(min=1)))
    for keep in sorted({max(K, E // 2), max(K, E - 2)}):
        for criterion in ("reap", "frequency"):
            kept = [sorted(sorted(range(E), key=lambda e: (-float(layer[criterion][e]), e))[:keep]) for layer in seen]
            yield dict(method="reap", keep=keep, criterion=criterion), pruned(model, kept)
        yield dict(method="naee", keep=keep), pruned(model, [best_subset(layer, E, K, keep) for layer in seen])
        merged = deepcopy(model)
        for block, layer in zip(moe_blocks(merged).values(), seen):
            labels = fcluster(linkage(layer["outputs"].mean(0).double().numpy(), "average"), keep, "maxclust")
            shares = layer["frequency"].double() / layer["frequency"].sum()
            for label in set(labels):
                members = [e for e in range(E) if labels[e] == label]
                weights = shares[members] / shares[members].sum() if shares[members].sum() > 0 else torch.full((len(members),), 1 / len(members)).double()
                for stack in (block.experts.gate_up_proj.data, block.experts.down_proj.data):
                    stack[members] = torch.einsum("e,eij->ij", weights, stack[members].double()).float()
        yield dict(method="hc-smoe", keep=keep), merged


def run(block, e, x):
    gate, up = (x @ block.experts.gate_up_proj[e].T).chunk(2, -1)
    return (torch.nn.functional.silu(gate) * up) @ block.experts.down_proj[e].T


def best_subset(layer, E, K, keep):
    """The experts whose layer is closest to the whole one."""
    def mixed(logits):
        chosen = logits.softmax(-1).topk(K)
        gates = torch.zeros_like(logits).scatter_(1, chosen.indices, chosen.values / chosen.values.sum(-1, keepdim=True))
        return torch.einsum("ne,ned->nd", gates, layer["outputs"])

    def loss(kept):
        logits = torch.full_like(layer["logits"], -torch.inf)
        logits[:, kept] = layer["logits"][:, kept]
        return float((mixed(logits) - mixed(layer["logits"])).double().norm())

    return min((list(kept) for kept in itertools.combinations(range(E), keep)), key=loss)


def pruned(model, kept):
    """A smaller model of the experts that stay."""
    config = deepcopy(model.config)
    config.num_local_experts = len(kept[0])
    state = model.state_dict()
    for name, experts in zip(moe_blocks(model), kept):
        for part in ("gate.weight", "experts.gate_up_proj", "experts.down_proj"):
            state[f"{name}.{part}"] = state[f"{name}.{part}"][experts]
    smaller = MixtralForCausalLM(config).eval()
    smaller.load_state_dict(state)
    return smaller


# --------------------------------------------------------------------------------------------------------------- #
def moe_blocks(model):
    return {name: module for name, module in model.named_modules() if hasattr(module, "experts")}


def inputs_of(model, blocks, given):
    seen = {}
    hooks = [block.register_forward_pre_hook(lambda _, args, name=name: seen.__setitem__(name, args[0].detach().clone().flatten(0, 1))) for name, block in blocks.items()]
    logits_of(model, given)
    for hook in hooks:
        hook.remove()
    return {name: seen[name] for name in blocks}


def logits_of(model, given):
    return model(**given).logits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=int, default=10, help="of each family")
    chosen = parser.parse_args()
    disable_progress_bar()
    for family, first in ((switch, 100), (mixtral, 200)):
        for seed in range(first, first + chosen.models):
            model, given, made = family(seed)
            folder = chosen.folder / f"{family.__name__}-{seed}"
            model.save_pretrained(folder)
            names = dict(input_ids="ids", attention_mask="mask", decoder_input_ids="decoderIds")
            record = dict(batch={names[key]: value.tolist() for key, value in given.items()}, logits=logits_of(model, given).flatten().tolist(),
                          methods=[dict(options=options, logits=logits_of(other, given).flatten().tolist()) for options, other in made])
            (folder / "methods.json").write_text(json.dumps(record))


if __name__ == "__main__":
    with torch.no_grad():
        main()
