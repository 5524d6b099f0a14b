import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { MoeError } from "../../../errors.js";
import { Workplace } from "../../../files/workplace.js";
import { addonPath, engineId, type EngineManifest, packageRoot, projectEngines, readManifest, sharedEngines,
  TORCH_VERSION } from "../engine-folder.js";
import { checkWheel } from "./check-wheel.js";
import { compileAddon, findCompiler, smokeTest, sourcesHash } from "./compile.js";
import { installedTorch, linkTorch, unlinkTorch } from "./installed-torch.js";
import { takeLibraries } from "./libraries.js";
import { findPython } from "./python.js";
import { requireSpace } from "./require-space.js";
import { downloadWheel, unpackWheel } from "./wheel.js";

export interface BuildEngineOptions {
  /** the user's cache instead of `.engine/` of the clone; always so for an installed package */
  shared?: boolean;
  /** with the CUDA libraries of the wheel, for NVIDIA GPUs: about 3 GB more, on Linux x64 */
  cuda?: boolean;
  /** a torch wheel that is already on this machine */
  wheel?: string;
  /** of the wheel, in place of those of PyPI's wheels of the pinned release */
  sha256?: string;
  /**
   * a Python whose PyTorch is used where it is, with CUDA if it has it: nothing is downloaded or copied. An engine that
   * was built so is built so again
   */
  torch?: string;
  onProgress?: (line: string) => void;
}

const ACCEPTED = ["linux-x64", "linux-arm64", "darwin-arm64"];

/**
 * Builds the torch engine: pip downloads the pinned wheel, its libraries and headers are taken out, one compiler call
 * makes the addon, a process of its own tries it, and a rename puts it into place. An engine that is already there is
 * only recompiled, which needs neither network nor Python: that is why the headers (63 MB) are kept.
 * Everything unfinished lies beside it in `ENGINE.moelab-part/` and is used by the next attempt.
 *
 * @returns the folder of the engine
 * @throws MoeError `engine-…` with what is missing and how to get it
 */
export async function buildEngine(options: BuildEngineOptions = {}): Promise<string> {
  requirePlatform(options.cuda);
  const say = options.onProgress ?? (() => {});
  const compiler = await findCompiler();
  const engines = options.shared || packageRoot().includes("node_modules")
    ? sharedEngines()
    : process.env.MOELAB_ENGINE_DIR ?? projectEngines();
  const folder = join(resolve(engines), engineId());
  const work = await Workplace.open(folder, { verb: "engine build", foreign });
  let done = false;
  try {
    const there = readManifest(folder);
    const python = options.torch ?? (options.wheel ? undefined : there?.python);
    const installed = python ? await installedTorch(python) : undefined;
    const cuda = installed?.cuda ?? options.cuda ?? there?.cuda ?? false;
    if (options.cuda && !cuda)
      throw new MoeError("engine-no-cuda",
        `engine build: PyTorch ${installed?.version} of ${python} has no CUDA. Leave out --cuda, or --torch.`);
    const isNew = installed || !there || there.python || there.cuda !== cuda || !existsSync(join(folder, "include"));
    if (isNew) await work.requireOurs();
    const target = isNew ? work.next : folder;
    if (isNew) unlinkTorch(target);
    if (installed) {
      say(`PyTorch ${installed.version} in ${installed.folder}${cuda ? ", with CUDA" : ""}`);
      linkTorch(installed, target);
    } else if (isNew) await takeTorch(target, work.folder, engines, { ...options, cuda }, say);
    say(`compile the addon (${compiler.version}), about half a minute`);
    const fresh = join(target, "moelab_torch.tmp.node");
    const sources = sourcesHash();
    await compileAddon(compiler, target, fresh, cuda, installed);
    say("try it in a process of its own");
    await smokeTest(fresh);
    renameSync(fresh, addonPath(target));
    writeManifest(target, { torch: installed?.version ?? TORCH_VERSION, platform: `${process.platform}-${process.arch}`,
      sources, compiler: compiler.version, cuda, built: new Date().toISOString(),
      ...(installed ? { python, installed: installed.folder } : {}) });
    if (isNew) await work.takePlace();
    done = true;
    return folder;
  } finally {
    await work.close(!done);
  }
}

async function foreign(folder: string): Promise<string | undefined> {
  return existsSync(join(folder, "engine.json")) ? undefined : "it holds no engine.json";
}

/** Libraries, headers and licences of the wheel, into an engine folder. */
async function takeTorch(
  target: string,
  scratch: string,
  engines: string,
  { wheel: given, sha256, cuda = false }: BuildEngineOptions,
  say: (line: string) => void,
): Promise<void> {
  mkdirSync(scratch, { recursive: true });
  requireSpace(engines, cuda);
  const python = await findPython();
  let wheel = given;
  if (!wheel) {
    say(`download torch ${TORCH_VERSION} (about 540 MB)`);
    wheel = await downloadWheel(python, join(scratch, "wheel"), say);
  }
  await checkWheel(wheel, sha256).catch((error) => {
    if (!given) rmSync(wheel, { force: true });
    throw error;
  });
  say(
    cuda
      ? "take the libraries, and those of CUDA that the system lacks: about 3.5 GB"
      : "take the libraries, about 430 MB",
  );
  await takeLibraries(python, wheel, scratch, join(target, "lib"), cuda);
  say("take the headers");
  if (!existsSync(join(target, "include"))) {
    rmSync(join(scratch, "torch"), { recursive: true, force: true });
    await unpackWheel(python, wheel, scratch, ["torch/include/*", "*.dist-info/licenses/LICENSE",
      "*.dist-info/licenses/NOTICE"]);
    rmSync(join(target, "licenses"), { recursive: true, force: true });
    renameSync(join(scratch, `torch-${TORCH_VERSION}.dist-info`), join(target, "licenses"));
    renameSync(join(scratch, "torch", "include"), join(target, "include"));
  }
}

function requirePlatform(cuda = false): void {
  const platform = `${process.platform}-${process.arch}`;
  if (cuda && platform !== "linux-x64")
    throw new MoeError("engine-platform",
      `engine build: --cuda on ${platform}; accepted is linux-x64. Build without `
        + `it${process.platform === "darwin" ? "; MOELAB_DEVICE=mps uses the GPU" : ""}.`);
  const glibc = (process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined)?.header
    ?.glibcVersionRuntime;
  if (ACCEPTED.includes(platform) && (process.platform !== "linux" || Number(glibc?.split(".")[1] ?? 0) >= 28)) return;
  throw new MoeError("engine-platform",
    "engine build: "
      + `${platform}${
        process.platform === "linux" ? " with " + `${glibc ? `glibc ${glibc}` : "another C library than glibc"}` : ""
      }; accepted are ${
        ACCEPTED.join(", ")
      }, on Linux with glibc 2.28 or later. moelab runs on WebAssembly here without it.`);
}

function writeManifest(folder: string, manifest: EngineManifest): void {
  const path = join(folder, "engine.json");
  writeFileSync(`${path}.tmp`, JSON.stringify(manifest, undefined, 2) + "\n");
  renameSync(`${path}.tmp`, path);
}
