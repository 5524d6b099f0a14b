import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { MoeError } from "../../../errors.js";
import { lastLines, run } from "./run.js";
import { unpackWheel } from "./wheel.js";

/** What PyTorch's own wheel requires of CUDA, as pip takes it. */
const REQUIREMENT = /^Requires-Dist: ((?:nvidia-|cuda-toolkit)[^;]*)/gm;

/** The packages of NVIDIA's libraries that a torch wheel names in its metadata, with their versions. */
export function cudaRequirements(metadata: string): string[] {
  return [...metadata.matchAll(REQUIREMENT)].map((match) => match[1].trim());
}

/**
 * Puts the libraries that `missing` names into `target`: those of the packages that the torch wheel requires, by pip.
 * Libraries that the system has are not asked for. About 2 GB are downloaded.
 */
export async function takeCudaLibraries(
  python: string,
  wheel: string,
  scratch: string,
  target: string,
  missing: readonly string[],
): Promise<void> {
  const [metadata] = await unpackWheel(python, wheel, scratch, ["*.dist-info/METADATA"]);
  const requirements = metadata ? cudaRequirements(readFileSync(join(scratch, metadata), "utf8")) : [];
  if (requirements.length === 0)
    throw new MoeError("engine-no-cuda",
      `engine build: ${basename(wheel)} names no CUDA libraries; accepted is a wheel with CUDA, as PyPI `
        + "has it for Linux. Leave out --wheel, or --cuda.");
  const packages = join(scratch, "cuda");
  const { code, output } = await run(python, ["-m", "pip", "install", "--target", packages, "--only-binary=:all:",
    "--no-compile", "--progress-bar", "off", "--disable-pip-version-check", ...requirements], {
    env: { TMPDIR: scratch },
  });
  if (code !== 0)
    throw new MoeError("engine-download",
      "engine build: pip could not install the CUDA libraries "
        + `(${requirements.join(", ")}):\n${lastLines(output)}\nRun the command again, or without --cuda.`);
  const found = new Map(
    readdirSync(packages, { recursive: true }).map((path) => [basename(String(path)), join(packages, String(path))]),
  );
  for (const [name, path] of found)
    if (/\.so(\.\d+)*$/.test(name) && !existsSync(join(target, name))) renameSync(path, join(target, name));
  const lacking = missing.filter((name) => !existsSync(join(target, name)));
  if (lacking.length > 0)
    throw new MoeError("engine-no-cuda",
      `engine build: ${lacking.join(", ")} ${lacking.length === 1 ? "is" : "are"} neither on this system `
        + "nor in the packages that the wheel names; a CUDA runtime is needed. Install CUDA, or build without "
        + "--cuda.");
  rmSync(packages, { recursive: true, force: true });
}
