import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { MoeError } from "../../../errors.js";
import { packageRoot } from "../engine-folder.js";
import type { InstalledTorch } from "./installed-torch.js";
import { lastLines, run } from "./run.js";

/** The folder of the C++ sources; they are part of the published package. */
export function nativeSources(): string {
  return join(packageRoot(), "sdk", "tensor", "torch", "native");
}

/** Changes when any native source changes. */
export function sourcesHash(): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(nativeSources()).sort())
    hash.update(name).update(readFileSync(join(nativeSources(), name)));
  return hash.digest("hex").slice(0, 16);
}

/** The C++ compiler and the first line of its version; `CXX` names another one. */
export async function findCompiler(): Promise<{ program: string; version: string }> {
  const names = process.env.CXX
    ? [process.env.CXX]
    : process.platform === "darwin"
    ? ["clang++", "g++"]
    : ["g++", "clang++"];
  for (const program of names) {
    const { code, output } = await run(program, ["--version"]);
    if (code === 0) return { program, version: output.split("\n")[0].trim() };
  }
  throw new MoeError("engine-no-compiler",
    `engine build: no C++ compiler was found (tried ${names.join(", ")}); g++ 11 or clang++ 14 and later `
      + "are accepted. Install one (Debian and Ubuntu: apt install g++; macOS: xcode-select --install) or "
      + "name it in CXX.");
}

/** One compiler call: the table of operations against torch's headers and libraries in `engine`, to `target`. */
export async function compileAddon(
  { program, version }: { program: string; version: string },
  engine: string,
  target: string,
  cuda = false,
  installed?: InstalledTorch,
): Promise<void> {
  const nodeApi = join(dirname(createRequire(import.meta.url).resolve("node-api-headers/package.json")), "include");
  const link = process.platform === "darwin"
    ? ["-undefined", "dynamic_lookup", "-ltorch_cpu", "-lc10", "-Wl,-rpath,@loader_path/lib"]
    : ["-l:libtorch_cpu.so", "-l:libc10.so",
      ...(cuda ? ["-Wl,--no-as-needed", "-l:libtorch_cuda.so", "-l:libc10_cuda.so"] : []), "-Wl,-rpath,$ORIGIN/lib",
      "-Wl,--allow-shlib-undefined", "-Wl,--disable-new-dtags"];
  const environment = installed
    ? [`-Wl,-rpath,${join(installed.prefix, "lib")}`, `-D_GLIBCXX_USE_CXX11_ABI=${Number(installed.newStrings)}`]
    : [];
  // torch shares loops out by OpenMP of GCC's kind, whose library it brings; clang's would be a second one in the
  // process
  const threads = process.platform === "linux" && !/clang/i.test(version) ? "-fopenmp" : "-fopenmp-simd";
  const { code, output } = await run(program, ["-std=c++20", "-O2", threads, "-fno-math-errno", "-fPIC", "-shared",
    "-w", "-DNAPI_VERSION=8", "-DNDEBUG", `-I${nodeApi}`, `-I${join(engine, "include")}`,
    join(nativeSources(), "addon.cc"), "-o", target, `-L${join(engine, "lib")}`, ...link, ...environment]);
  if (code !== 0)
    throw new MoeError("engine-compile",
      `engine build: ${program} failed; g++ 11 or clang++ 14 and later, and 3 GB of memory, are `
        + `accepted:\n${
          lastLines(output.split("\n").filter((line) => /error|memory|Killed|cannot/.test(line)).join("\n") || output,
            12)
        }`);
}

const SMOKE = `
  const torch = require(process.argv[1]);
  const x = torch.create(new Float32Array([1, 2, 3, 4]), 0, 2, 2);
  const y = torch.read(torch.matmul(x, x, false, true), new Float32Array(4));
  if (String(y) !== "5,11,11,25") throw new Error("2 x 2 product is " + y);
  let refused = false;
  try { torch.read(-7, y); } catch { refused = true; }
  if (!refused) throw new Error("a bad handle was accepted");
`;

/** Loads an addon in a process of its own and multiplies two matrices there. */
export async function smokeTest(addon: string): Promise<void> {
  const { code, output } = await run(process.execPath, ["-e", SMOKE, addon]);
  if (code !== 0)
    throw new MoeError("engine-smoke",
      `engine build: the compiled engine does not run on Node ${process.versions.node}:\n${lastLines(output)}`);
}
