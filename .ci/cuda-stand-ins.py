"""Lets the torch wheel of PyPI run on a machine without CUDA, and without the 3 GB of CUDA packages that it asks for.

    python cuda-stand-ins.py      # of the environment that has torch, installed with `pip install --no-deps torch`

Its libraries name CUDA's although nothing on the CPU calls them. Each one that is absent is replaced by a library that
has the functions asked of it, every one of which answers "no device" (100), but for those in ANSWERS. Needs gcc and binutils.
"""
import importlib.util
import re
import subprocess
import tempfile
from pathlib import Path

ANSWERS = {
    "cudaGetErrorString": 'const char* cudaGetErrorString(int code) { return "no CUDA runtime"; }',
    "cudaGetErrorName": 'const char* cudaGetErrorName(int code) { return "cudaErrorNoDevice"; }',
    "cudaStreamIsCapturing": "int cudaStreamIsCapturing(void* stream, int* status) { *status = 0; return 0; }",   # transformers asks
}

folder = Path(importlib.util.find_spec("torch").submodule_search_locations[0]) / "lib"


def output(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


libraries = sorted(folder.glob("*.so"))
absent = {name for library in libraries for name in re.findall(r"^\s*(\S+) => not found", output("ldd", library), re.M)}
asked = {name: {} for name in absent}   # library -> version of a symbol, "" for none -> functions
for library in libraries:
    needs, symbols = output("readelf", "-VW", library), output("nm", "-D", "--undefined-only", library)
    owner = {}   # version of a symbol -> the library that defines it
    for file, versions in re.findall(r"File: (\S+)(.*?)(?=File: |\Z)", needs, re.S):
        owner.update({version: file for version in re.findall(r"Name: (\S+)", versions)})
    for function, version in re.findall(r"\s[Uw] (\w+)@+(\S+)", symbols):
        if owner.get(version) in absent:
            asked[owner[version]].setdefault(version, set()).add(function)
    for function in re.findall(r"\sU ((?:cu|nccl|nv)\w*)$", symbols, re.M):   # of whichever: the loader asks all of them
        asked[min(absent)].setdefault("", set()).add(function)

for name, versions in sorted(asked.items()):
    with tempfile.TemporaryDirectory() as scratch:
        source, script = Path(scratch) / "stub.c", Path(scratch) / "stub.map"
        functions = sorted(set().union(*versions.values()))
        source.write_text("\n".join(ANSWERS.get(function, f"int {function}(void) {{ return 100; }}") for function in functions) + "\n")
        command = ["gcc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{name}", str(source)]
        if any(versions):
            script.write_text("".join(f"{version} {{ global: {'; '.join(sorted(asking))}; }};\n" for version, asking in versions.items() if version))
            command.append(f"-Wl,--version-script={script}")
        subprocess.run([*command, "-o", str(folder / name)], check=True)
        print(f"{name}: {len(functions)} functions")
