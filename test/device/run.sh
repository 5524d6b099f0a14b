#!/usr/bin/env bash
# The engine's tests, the back end specs and the benchmark on a machine that has a GPU, PyTorch and g++, and no network:
# test/device/run.mjs, within 8 minutes. `node test/device/pack.mjs` makes out/device.tar.xz (Node and the packages that are
# needed) where there is a network; it, dist/ and the sources are carried there.
# usage: [PYTHON=python3] [DEVICE=cuda] test/device/run.sh [folder of device.json, default test/device/results]
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
node=${NODE:-out/device/node}
[ -x "$node" ] || "$python" -c 'import tarfile; tarfile.open("out/device.tar.xz").extractall(".")'
exec "$node" test/device/run.mjs --python "$python" --device "${DEVICE:-cuda}" --out "${1:-test/device/results}"
