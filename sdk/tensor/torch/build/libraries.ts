import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { MoeError } from "../../../errors.js";
import { takeCudaLibraries } from "./cuda-libraries.js";
import { lastLines, run } from "./run.js";
import { unpackWheel } from "./wheel.js";

const ROOTS: Record<string, string[]> = {
  linux: ["libtorch_cpu.so", "libc10.so"],
  darwin: ["libtorch_cpu.dylib", "libc10.dylib", "libomp.dylib"],
};

/** On top of these, with CUDA. */
const CUDA_ROOTS = ["libtorch_cuda.so", "libc10_cuda.so"];

/**
 * Takes from the wheel the two libraries that are called and those that they name, about 430 MB of 1.1 GB. What the
 * wheel itself does not carry and the system has not either (the CUDA runtime, on a machine without one) is replaced
 * by a stub: libtorch_cpu names these libraries although nothing on the CPU calls them.
 */
export async function takeLibraries(
  python: string,
  wheel: string,
  scratch: string,
  target: string,
  cuda = false,
): Promise<void> {
  mkdirSync(target, { recursive: true });
  const waiting = [...ROOTS[process.platform], ...(cuda ? CUDA_ROOTS : [])];
  const done = new Set<string>();
  for (let name = waiting.pop(); name; name = waiting.pop()) {
    if (done.has(name)) continue;
    done.add(name);
    const path = join(target, name);
    if (!existsSync(path)) {
      const [member] = await unpackWheel(python, wheel, scratch, [`torch/lib/${name}`, `torch.libs/${name}`,
        `torch/.dylibs/${name}`]);
      if (!member) continue;
      renameSync(join(scratch, member), path);
    }
    if (process.platform === "linux") waiting.push(...(await neededBy(path)));
  }
  if (process.platform !== "linux") return;
  if (cuda) {
    const lacking = (await Promise.all(CUDA_ROOTS.map((name) => missing(join(target, name))))).flat();
    if (lacking.length > 0) await takeCudaLibraries(python, wheel, scratch, target, [...new Set(lacking)]);
    return;
  }
  for (const name of await missing(join(target, "libtorch_cpu.so")))
    await makeStub(name, join(target, "libtorch_cpu.so"), target);
}

async function neededBy(library: string): Promise<string[]> {
  const { code, output } = await run("readelf", ["-d", library]);
  if (code !== 0)
    throw new MoeError("engine-no-binutils",
      `engine build: readelf failed on ${basename(library)}: ${lastLines(output, 2)}; the binutils that `
        + "come with a compiler are needed. Install a compiler (Debian and Ubuntu: apt install g++).");
  return [...output.matchAll(/\(NEEDED\).*\[(.+?)\]/g)].map((match) => match[1]);
}

/** Libraries named by `library` that the loader would not find next to it or on the system. */
async function missing(library: string): Promise<string[]> {
  const { output } = await run("ldd", [library]);
  return [...output.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]);
}

/** A library that has every function that `user` asks of `name`, each of which answers "no device" (100). */
async function makeStub(name: string, user: string, folder: string): Promise<void> {
  const { output } = await run("nm", ["-D", "--undefined-only", user]);
  const version = name.replace(/[^\w.]/g, "");
  const functions = [
    ...new Set(
      [...output.matchAll(/\sU (\w+)@+(\S+)/g)].filter((match) => match[2] === version).map((match) => match[1]),
    ),
  ];
  const text = functions.map(
    (f) => (f === "cudaGetErrorString"
      ? "const char* cudaGetErrorString(int code) { return \"no CUDA runtime\"; }"
      : `int ${f}(void) { return 100; }`)
  );
  const [source, script] = [join(folder, `${name}.c`), join(folder, `${name}.map`)];
  writeFileSync(source, text.join("\n") + "\n");
  writeFileSync(script, `${version} { global: *; };\n`);
  const made = await run(process.env.CC ?? "gcc", ["-shared", "-fPIC", "-w", `-Wl,-soname,${name}`,
    `-Wl,--version-script=${script}`, source, "-o", join(folder, name)]);
  rmSync(source);
  rmSync(script);
  if (made.code !== 0)
    throw new MoeError("engine-stub",
      `engine build: the stand-in for ${name} did not compile:\n${lastLines(made.output)}`);
}
