import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync,
  writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { packageFile } from "../../../sdk/package-file.js";
import { buildEngine, type BuildEngineOptions } from "../../../sdk/tensor/torch/build/build-engine.js";
import { requireSpace } from "../../../sdk/tensor/torch/build/require-space.js";
import { engineId, TORCH_VERSION } from "../../../sdk/tensor/torch/engine-folder.js";

// Builds with stand-ins for pip, the compiler and binutils: what each of them does wrong must end in an error that says
// so.
const test = suite("engine build");
const scratch = mkdtempSync(join(tmpdir(), "moelab-build-test-"));
test.after(() => rmSync(scratch, { recursive: true, force: true }));

const python = spawnSync("sh", ["-c", "command -v python3"], { encoding: "utf8" }).stdout.trim();
const possible = process.platform === "linux" && python !== "";
if (!possible) console.log("skip: building with stand-ins needs Linux and python3");
const on = possible ? test : test.skip;

// the same bytes each time: the hash of the wheel is known
const WHEEL = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/torch-${TORCH_VERSION}-cp312-none-any.whl", "w") as wheel:
    for name in ["torch/lib/libtorch_cpu.so", "torch/lib/libc10.so", "torch/include/ATen/ATen.h", "torch-${TORCH_VERSION}.dist-info/licenses/LICENSE"]:
        wheel.writestr(zipfile.ZipInfo(name), name)`;

/** The sha256 of what a script of Python makes in a folder. */
function made(script: string): string {
  const folder = mkdtempSync(join(scratch, "made-"));
  spawnSync(python, ["-c", script, folder]);
  return createHash("sha256").update(readFileSync(join(folder, readdirSync(folder)[0]))).digest("hex");
}

/** Programs by name and shell script; the rest of the PATH stays, or is left out. */
function tools(scripts: Record<string, string>, alone = false): Record<string, string> {
  const folder = mkdtempSync(join(scratch, "bin-"));
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  if (alone) { for (const name of ["sh", "cat"]) symlinkSync(`/bin/${name}`, join(folder, name)); }
  return { PATH: alone ? folder : folder + delimiter + process.env.PATH, CXX: "", MOELAB_PYTHON: "" };
}
const log = join(scratch, "log");
/** A Python whose pip makes the wheel, in the folder "$2", by a command of ours; it unpacks as Python does. */
const pip = (makeWheel: string) =>
  `case "$*" in *"pip --version"*) ;; *"pip download"*) echo download >> ${log}; while [ "$1" != `
  + `--dest ]; do shift; done; ${makeWheel} ;; *) echo unpack >> ${log}; exec ${python} "$@" ;; esac`;
const FINE = {
  "g++":
    "if [ \"$1\" = --version ]; then echo \"g++ 12\"; else echo compile >> LOG; while [ \"$1\" != -o ]; do shift; done; echo addon > \"$2\"; fi"
      .replaceAll("LOG", log),
  readelf: "true",
  ldd: "true",
  nm: "true",
  python3: pip(`${python} -c '${WHEEL}' "$2"`),
};

const SHA256 = possible ? made(WHEEL) : "";

async function build(
  engines: string,
  env: Record<string, string>,
  options: BuildEngineOptions = { sha256: SHA256 },
): Promise<{ code: string; message: string; steps: string[]; progress: string[] }> {
  const before = { ...process.env };
  Object.assign(process.env, { MOELAB_ENGINE_DIR: engines, ...env });
  rmSync(log, { force: true });
  const progress: string[] = [];
  try {
    const error = await buildEngine({ ...options, onProgress: (line) => progress.push(line) }).then(
      () => ({ code: "built", message: "" }),
      (error) => error as { code: string; message: string },
    );
    return { code: error.code, message: error.message,
      steps: existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [], progress };
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}
const isEngine = (engines: string) => existsSync(join(engines, engineId(), "engine.json"));

const cases: [name: string, tools: () => Record<string, string>, code: string, message: RegExp][] = [["an empty PATH",
  () => tools({}, true), "engine-no-compiler",
  /no C\+\+ compiler was found \(tried g\+\+, clang\+\+\).*apt install g\+\+/], ["a compiler that does not start",
  () => tools({ "g++": "exit 1", "clang++": "exit 1" }), "engine-no-compiler", /no C\+\+ compiler/], ["no Python",
  () => tools({ "g++": FINE["g++"] }, true), "engine-no-pip", /apt install python3-pip/], ["a Python without pip",
  () => tools({ ...FINE, python3: "echo \"No module named pip\" >&2; exit 1", python: "exit 1" }), "engine-no-pip",
  /no Python with pip/], ["a pip that finds the disk full",
  () =>
    tools({ ...FINE,
      python3:
        "case \"$*\" in *\"pip download\"*) echo \"OSError: [Errno 28] No space left on device\" >&2; exit 1;; esac" }),
  "engine-download", /No space left on device[^]*not repeated/], ["a damaged wheel",
  () => tools({ ...FINE, python3: pip(`echo broken > "$2/torch-${TORCH_VERSION}-x.whl"`) }), "engine-wheel-hash",
  /has the sha256 [0-9a-f]{64}; accepted is the one given[^]*damaged, get it again/], ["no binutils",
  () => tools({ ...FINE, readelf: "exit 127" }), "engine-no-binutils", /readelf failed on lib\w+\.so/], [
  "a compiler that fails",
  () =>
    tools({ ...FINE,
      "g++":
        "if [ \"$1\" = --version ]; then echo \"g++ 9\"; else echo \"addon.cc:1: error: concepts\" >&2; exit 1; fi" }),
  "engine-compile",
  /g\+\+ failed; g\+\+ 11 [^]*error: concepts/,
], ["a compiler that is stopped for memory",
  () =>
    tools({ ...FINE,
      "g++": "if [ \"$1\" = --version ]; then echo \"g++ 12\"; else echo \"g++: fatal error: Killed signal "
        + "terminated program cc1plus\" >&2; exit 1; fi" }), "engine-compile", /3 GB of memory[^]*Killed/], [
  "an addon that does not load",
  () => tools(FINE),
  "engine-smoke",
  /does not run on Node/,
]];
for (const [name, env, code, message] of cases) {
  on(`${name}: the error says so, and nothing is left that would be taken for an engine`, async () => {
    const engines = mkdtempSync(join(scratch, "engines-"));
    const seen = await build(engines, env());
    assert.is(seen.code, code, seen.message);
    assert.match(seen.message, message);
    assert.not.ok(isEngine(engines));
    assert.not.ok(readdirSync(engines).includes("build.lock"), "the lock is gone");
  });
}

on("too little disk space is told before anything is downloaded", () => {
  assert.throws(() => requireSpace("/somewhere", false, 1e9),
    (error: { code: string; message: string }) =>
      error.code === "engine-disk" && /1\.0 GB are free in \/somewhere; 1\.7 GB are needed/.test(error.message));
  requireSpace("/somewhere", false, 2e9);
  assert.throws(() => requireSpace("/somewhere", true, 2e9), /7\.7 GB are needed while building, 4 GB afterwards/);
  requireSpace(scratch);
});

on("a wheel that is none of PyPI's is refused before anything is taken from it, and removed if pip brought it",
  async () => {
    const engines = mkdtempSync(join(scratch, "engines-"));
    const { code, message, steps } = await build(engines, tools(FINE), {});
    assert.is(code, "engine-wheel-hash", message);
    assert.match(message,
      new RegExp(`sha256 ${SHA256}; accepted is that of one of the \\d+ wheels of torch ${TORCH_VERSION}`));
    assert.equal(steps, ["download"]);
    assert.equal(readdirSync(join(engines, `${engineId()}.moelab-part/wheel`)), []);
  });

on("--wheel FILE is checked like a download, stays where it is, and --sha256 vouches for it", async () => {
  const folder = mkdtempSync(join(scratch, "wheel-"));
  spawnSync(python, ["-c", WHEEL, folder]);
  const wheel = join(folder, readdirSync(folder)[0]);
  const engines = mkdtempSync(join(scratch, "engines-"));
  const refused = await build(engines, tools(FINE), { wheel });
  assert.is(refused.code, "engine-wheel-hash");
  assert.match(refused.message, `--sha256 ${SHA256}`);
  assert.ok(existsSync(wheel));
  assert.is((await build(engines, tools(FINE), { wheel, sha256: "0".repeat(64) })).code, "engine-wheel-hash");
  const vouched = await build(engines, tools(FINE), { wheel, sha256: SHA256.toUpperCase() });
  assert.is(vouched.code, "engine-smoke", vouched.message);
  assert.is((await build(engines, tools(FINE), { wheel: join(folder, "absent.whl") })).code, "engine-wheel");
});

/** A Python that says that its PyTorch is in `folder`. */
const pythonWith = (folder: string, cuda = "false") =>
  `echo '{"version":"2.16.1+cu131","folder":"${folder}","prefix":"/of-conda","cuda":${cuda},"newStrings":true}'`;
/** A folder as pip installs torch. */
function installedTorch(...libraries: string[]): string {
  const folder = join(mkdtempSync(join(scratch, "site-")), "torch");
  for (const file of ["include/ATen/ATen.h", "lib/libtorch_cpu.so", ...libraries]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), file);
  }
  writeFileSync(join(folder, "version.py"), "__version__ = '2.16.1+cu131'\n");
  return folder;
}

on("--torch PYTHON compiles against the PyTorch that is installed there, and brings nothing", async () => {
  const engines = mkdtempSync(join(scratch, "engines-"));
  const folder = installedTorch("lib/libtorch_cuda.so");
  const compiler = `if [ "$1" = --version ]; then echo "g++ 12"; else echo "$*" >> ${log}; while [ "$1" != -o ]; do `
    + "shift; done; echo addon > \"$2\"; fi";
  const env = tools({ ...FINE, "g++": compiler, mine: pythonWith(folder, "true") });
  const { code, steps: [call, ...more], progress } = await build(engines, env, { torch: "mine" });
  assert.is(code, "engine-smoke", "the stand-in's addon is none");
  assert.equal(more, []);
  assert.match(call, /libtorch_cuda\.so.*-rpath,\/of-conda\/lib -D_GLIBCXX_USE_CXX11_ABI=1/);
  assert.match(progress[0], /PyTorch 2\.16\.1\+cu131 in .*, with CUDA/);
  for (const part of ["lib", "include"])
    assert.is(realpathSync(join(engines, `${engineId()}.moelab-part/new`, part)), realpathSync(join(folder, part)));
  // a wheel that is tried next must not unpack through the links
  assert.is((await build(engines, tools(FINE))).code, "engine-smoke");
  assert.equal(readdirSync(join(folder, "lib")).sort(), ["libtorch_cpu.so", "libtorch_cuda.so"]);
});

on("--torch PYTHON without a PyTorch, without headers, without CUDA: the error says so", async () => {
  const of = (script: string, options: BuildEngineOptions = {}) =>
    build(mkdtempSync(join(scratch, "engines-")), tools({ ...FINE, mine: script }), { torch: "mine", ...options });
  const none = await of("echo \"ModuleNotFoundError: No module named 'torch'\" >&2; exit 1");
  assert.is(none.code, "engine-no-torch");
  assert.match(none.message, /--torch mine: [^]*No module named 'torch'[^]*Accepted is a Python/);
  const bare = installedTorch();
  rmSync(join(bare, "include"), { recursive: true });
  assert.match((await of(pythonWith(bare))).message, /include\/ATen\/ATen\.h is not there/);
  assert.is((await of(pythonWith(installedTorch(), "true"), { cuda: true })).code, "engine-no-cuda");
  assert.match((await build(scratch, tools(FINE), { torch: "no-such-python" })).message, /no-such-python: not found/);
});

test("the table of wheels is that of the pinned release, for every platform", () => {
  const { torch, sha256 } = JSON.parse(readFileSync(packageFile("data/torch-wheels.json"), "utf8"));
  assert.is(torch, TORCH_VERSION);
  for (const platform of ["manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_14_0_arm64"])
    assert.match(sha256[`torch-${TORCH_VERSION}-cp312-cp312-${platform}.whl`], /^[0-9a-f]{64}$/);
});

on("a second attempt goes on where the first one stopped", async () => {
  const engines = mkdtempSync(join(scratch, "engines-"));
  const first = await build(engines,
    tools({ ...FINE, "g++": "if [ \"$1\" = --version ]; then echo \"g++ 12\"; else exit 1; fi" }));
  assert.is(first.code, "engine-compile");
  assert.equal([...new Set(first.steps)], ["download", "unpack"]);
  const second = await build(engines, tools(FINE));
  assert.is(second.code, "engine-smoke", "the stand-in's addon is none");
  assert.equal(second.steps, ["compile"], "neither downloaded nor unpacked again");
  assert.match(second.progress.join("\n"), /compile the addon \(g\+\+ 12\)/);
});

const CUDA_WHEEL =
  WHEEL.replace("\"torch/include/ATen/ATen.h\"",
    "\"torch/include/ATen/ATen.h\", \"torch/lib/libtorch_cuda.so\", \"torch/lib/libc10_cuda.so\"") + `
    wheel.writestr(zipfile.ZipInfo("torch-${TORCH_VERSION}.dist-info/METADATA"), "Requires-Dist: nvidia-cublas==13.2; platform_system == \\"Linux\\"\\n")`;
const CUDA = { cuda: true, sha256: possible ? made(CUDA_WHEEL) : "" };
/** A pip that puts one library into the folder "$2" of packages. */
const cudaPip = (library: string) =>
  `case "$*" in *"pip install"*) echo "install $*" >> ${log}; while [ "$1" != --target ]; do shift; `
  + `done; mkdir -p "$2/nvidia/cublas/lib"; echo cublas > "$2/nvidia/cublas/lib/${library}" ;; *) `
  + `${pip(`${python} -c '${CUDA_WHEEL}' "$2"`)} ;; esac`;
const cudaTools = (library: string) =>
  tools({ ...FINE, python3: cudaPip(library), ldd: "echo \"  libcublas.so.13 => not found\"" });

on("--cuda takes the CUDA libraries of the wheel, and by pip those that the system lacks", async () => {
  const engines = mkdtempSync(join(scratch, "engines-"));
  const { code, message, steps } = await build(engines, cudaTools("libcublas.so.13"), CUDA);
  assert.is(code, "engine-smoke", message);
  assert.match(steps.find((step) => step.startsWith("install")) ?? "", /--only-binary=:all: .*nvidia-cublas==13.2$/);
  assert.equal(readdirSync(join(engines, `${engineId()}.moelab-part/new/lib`)).sort(), ["libc10.so", "libc10_cuda.so",
    "libcublas.so.13", "libtorch_cpu.so", "libtorch_cuda.so"]);
});

on("--cuda where a library is nowhere to be had: the error names it", async () => {
  const { code, message } = await build(mkdtempSync(join(scratch, "engines-")), cudaTools("libother.so.1"), CUDA);
  assert.is(code, "engine-no-cuda");
  assert.match(message, /libcublas\.so\.13 is neither on this system nor in the packages/);
});

on("what lies beside the engine under other names stays", async () => {
  const engines = mkdtempSync(join(scratch, "engines-"));
  for (const name of ["building", engineId()]) {
    mkdirSync(join(engines, name));
    writeFileSync(join(engines, name, "mine.txt"), "mine");
  }
  assert.is((await build(engines, tools(FINE))).code, "not-ours");
  for (const name of ["building", engineId()]) assert.ok(existsSync(join(engines, name, "mine.txt")), name);
});

test.run();
