"""New models as transformers makes them: of each fixture's configuration one of random weights, and its first logits.

    python .ci/new-models.py FOLDER
    node --import tsx .ci/initial-deviations.ts FOLDER test/fixtures/initial-deviations.json

The second command notes how the weights of each kind are spread, by moelab's names.
"""
import json
import sys
from pathlib import Path

import torch
import transformers

ROOT = Path(__file__).resolve().parent.parent
for source in sorted((ROOT / "test/fixtures/models").iterdir()):
    meta = json.loads((source / "meta.json").read_text())
    # a class's own spread, not the one that the fixture's configuration happens to say
    config = {key: value for key, value in json.loads((source / "config.v5.json").read_text()).items()
              if key not in ("initializer_range", "initializer_factor", "init_std")}
    target = Path(sys.argv[1]) / source.name
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config))
    kind = getattr(transformers, meta["model_class"])
    torch.manual_seed(0)
    model = kind(kind.config_class.from_pretrained(target)).eval().float()
    model.save_pretrained(target)
    (target / "config.json").write_text(json.dumps(config))
    vocab = model.config.get_text_config().vocab_size
    ids = torch.arange(4 * 16).reshape(4, 16) * 7 % vocab
    more = {"decoder_input_ids": ids} if meta["kind"] == "seq2seq" else {}
    with torch.no_grad():
        logits = model(input_ids=ids, **more).logits
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, vocab), ids.roll(-1, 1).reshape(-1))
    (target / "logits.json").write_text(json.dumps({"std": logits.std().item(), "loss": loss.item(), "ids": ids.tolist()}))
    print(source.name, logits.std().item(), loss.item(), vocab)
