"""Runs check_export.py on every model of a folder, and once on models that were broken on purpose.

    PYTHONPATH=../shared/fixtures python .ci/check-exports.py FOLDER
"""
import shutil
import sys
from pathlib import Path

import check_export
from safetensors.torch import load_file, save_file


def status(folder):
    sys.argv = ["check_export.py", str(folder)]
    return check_export.main()


def broken(folder, name, change):
    """A copy of the model after a change of its tensors."""
    copy = folder.with_name(f"broken-{name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    path = next(copy.glob("model*.safetensors"))
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})
    found = status(copy)
    shutil.rmtree(copy)
    return found


def scale_an_expert(tensors):
    name = next(name for name in sorted(tensors) if ".experts.1." in name)
    tensors[name] = tensors[name] * 1.5


def swap_router_rows(tensors):
    name = next(name for name in sorted(tensors) if name.endswith("gate.weight"))
    tensors[name] = tensors[name].flip(0).contiguous()


def drop_a_tensor(tensors):
    del tensors[next(name for name in sorted(tensors) if ".experts.1." in name)]


def main():
    root = Path(sys.argv[1])
    passed = failed = 0
    for folder in sorted(root.iterdir()):
        right = status(folder) == 0
        passed, failed = passed + right, failed + (not right)
    for name, change, expected in [("expert", scale_an_expert, 1), ("router", swap_router_rows, 1), ("tensor", drop_a_tensor, 2)]:
        right = broken(root / "mixtral-pruned", name, change) == expected
        passed, failed = passed + right, failed + (not right)
        print(f"a model with a broken {name} is {'refused' if right else 'NOT refused'}")
    print(f"exports: {passed} equal, {failed} not")


if __name__ == "__main__":
    main()
