"""What the configuration classes of transformers put in place of keys that a config.json lacks.

    python .ci/config-defaults.py data/config-defaults.json            # writes it
    python .ci/config-defaults.py data/config-defaults.json --check    # exit 1 if it would change
    python .ci/config-defaults.py --absent test/fixtures/absent-keys.json   # each key of the fixtures taken out

Of each model_type that a family file answers, the keys that family files read, but for those that set the size of a
model: without them a checkpoint is refused.
"""
import contextlib
import io
import json
import re
import sys
from copy import deepcopy
from pathlib import Path

from transformers import AutoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

ROOT = Path(__file__).resolve().parent.parent
# remote code whose configuration is a copy of this class
SAME_CLASS = {"kimi_k2": "deepseek_v3"}
SIZES = set("""vocab_size hidden_size d_model n_embd num_hidden_layers num_layers n_layer n_layers encoder_layers
decoder_layers num_decoder_layers num_attention_heads n_head n_heads num_heads encoder_attention_heads
decoder_attention_heads d_ff d_kv ffn_dim encoder_ffn_dim decoder_ffn_dim intermediate_size intermediate_size_mlp
moe_intermediate_size num_experts num_local_experts n_routed_experts moe_num_experts text_config""".split())


def keys_read():
    found = {"default_theta", "initializer_range", "init_std"}

    def walk(node):
        if isinstance(node, str) and node.startswith("="):
            found.update(re.findall(r"(?<![\w$.])([A-Za-z_]\w*)", re.sub(r"'[^']*'", "", node)))
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
            walk(child)

    types = []
    for path in sorted((ROOT / "data/families").glob("*.json")):
        family = json.loads(path.read_text())
        types += family["modelTypes"]
        for part in ("let", "define", "spec", "initialize"):
            walk(family.get(part, {}))
    return types, found - SIZES


def plain(value):
    """As JSON, and only what JSON can say."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return None


def defaults_of(model_type, keys):
    config = CONFIG_MAPPING[SAME_CLASS.get(model_type, model_type)]()
    text = config.get_text_config()
    kind = type(text)
    result = {}
    for key in sorted(keys - {"rope_parameters", "default_theta"}):
        # the class's own value: an instance may hold one that was computed from others
        value = plain(getattr(text if key in NESTED else kind, key, None))
        if key in NESTED:
            value = {name: value[name] for name in NESTED[key] if (value or {}).get(name) is not None} or None
        if isinstance(value, (list, dict)) and key not in NESTED:
            continue   # one entry a layer: computed from other keys
        if value is not None and key not in (text.attribute_map or {}):
            result[key] = value
    rope = plain(getattr(text, "rope_parameters", None)) or {}
    if rope and all(isinstance(each, dict) for each in rope.values()):
        result["default_ropes"] = rope   # one for each kind of layer
    if "rope_theta" in rope:
        result["default_theta"] = rope.pop("rope_theta")
        partial = rope.pop("partial_rotary_factor", None)
        if partial is not None:
            result["partial_rotary_factor"] = partial
        if rope.get("rope_type", "default") != "default":
            result["default_rope"] = rope
    if config is not text:
        result["tie_word_embeddings"] = bool(getattr(config, "tie_word_embeddings", False))
    aliases = {name: own for name, own in (text.attribute_map or {}).items() if own in keys or own in SIZES}
    return {**result, **({"aliases": aliases} if aliases else {})}


# objects inside a configuration, and what of them is read
NESTED = {"attn_config": ("kv_n_heads", "clip_qkv", "rope_theta"), "ffn_config": ("ffn_act_fn", "moe_top_k", "moe_normalize_expert_weights")}


def write(path, check):
    types, keys = keys_read()
    every = {name: defaults_of(name, keys) for name in types if SAME_CLASS.get(name, name) in CONFIG_MAPPING}
    text = "{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in sorted(every.items())) + "\n}\n"
    if check and Path(path).read_text() != text:
        sys.exit(f"{path} is not what the installed transformers says: run .ci/config-defaults.py {path}")
    if not check:
        Path(path).write_text(text)


def absent(path):
    """fixture -> key that is taken out -> what transformers' configuration changes by it."""
    every = {}
    for folder in sorted((ROOT / "test/fixtures/models").iterdir()):
        config = json.loads((folder / "config.json").read_text())
        if config["model_type"] not in CONFIG_MAPPING:
            continue
        kind = CONFIG_MAPPING[config["model_type"]]
        whole = plain(kind.from_dict(deepcopy(config)))   # it writes into what it is given
        inner = config.get("text_config", {})
        keys = sorted({*config, *(f"text_config.{key}" for key in inner)})
        for key in keys:
            last = key.split(".")[-1]
            if last in SIZES | {"model_type", "architectures", "torch_dtype", "dtype", "transformers_version", "vision_config"}:
                continue
            rest = deepcopy(config)
            del (rest if key == last else rest["text_config"])[last]
            try:
                without = plain(kind.from_dict(rest))
            except Exception:
                continue   # refused there
            changed = {name: without.get(name) for name in {**whole, **without} if without.get(name) != whole.get(name)}
            every.setdefault(folder.name, {})[key] = changed
    Path(path).write_text(json.dumps(every, indent=1) + "\n")


if __name__ == "__main__":
    with contextlib.redirect_stderr(io.StringIO()):
        if sys.argv[1] == "--absent":
            absent(sys.argv[2])
        else:
            write(sys.argv[1], "--check" in sys.argv)
