"""Writes data/torch-wheels.json: the sha256 of torch's wheels for the platforms of the engine, as the index tells them to pip.

    python .ci/torch-wheels.py VERSION      # run it when TORCH_VERSION changes; nothing is downloaded
"""
import json
import subprocess
import sys
from pathlib import Path

PLATFORMS = ["manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_14_0_arm64"]
PYTHONS = ["cp310", "cp311", "cp312", "cp313", "cp313t", "cp314", "cp314t", "cp315", "cp315t"]

version = sys.argv[1]
hashes = {}
for abi in PYTHONS:
    for platform in PLATFORMS:
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps", "--ignore-installed",
                               "--only-binary=:all:", "--platform", platform, "--implementation", "cp", "--abi", abi,
                               "--python-version", f"3.{abi.strip('cpt')[1:]}", "--target", "unused", "--report", "-",
                               f"torch=={version}"], capture_output=True, text=True)
        if done.returncode != 0:   # not every Python has a wheel
            print(f"{abi} {platform}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        [wheel] = json.loads(done.stdout)["install"]
        info = wheel["download_info"]
        hashes[info["url"].split("/")[-1]] = info["archive_info"]["hashes"]["sha256"]
path = Path(__file__).parent.parent / "data" / "torch-wheels.json"
path.write_text(json.dumps({"torch": version, "sha256": dict(sorted(hashes.items()))}, indent=2) + "\n")
print(f"{len(hashes)} wheels")
