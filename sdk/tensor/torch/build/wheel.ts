import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MoeError } from "../../../errors.js";
import { TORCH_VERSION } from "../engine-folder.js";
import { lastLines, run } from "./run.js";

const WHEEL_PLATFORM: Record<string, string> = {
  "linux-x64": "manylinux_2_28_x86_64",
  "linux-arm64": "manylinux_2_28_aarch64",
  "darwin-arm64": "macosx_14_0_arm64",
};

/**
 * Downloads the pinned torch wheel into a folder, unless it lies there already. pip's own settings (index, mirror,
 * proxy, cache) apply. The wheel of any Python version will do, as only its C++ libraries are used: the one of the
 * running Python is tried first because pip may have it in its cache.
 */
export async function downloadWheel(
  python: string,
  folder: string,
  say: (line: string) => void = () => {},
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const there = () =>
    readdirSync(folder).find((name) => name.startsWith(`torch-${TORCH_VERSION}`) && name.endsWith(".whl"));
  let output = "";
  const platform = WHEEL_PLATFORM[`${process.platform}-${process.arch}`];
  for (const tags of [[], ["--platform", platform, "--python-version", "3.12", "--implementation", "cp", "--abi",
    "cp312"]]) {
    const found = there();
    if (found) return join(folder, found);
    // pip writes to a temporary folder and moves the whole wheel, so a wheel that is there is complete
    const progress = setInterval(() => say(`${(sizeOf(folder) / 1e6).toFixed(0)} MB are there`), 5000);
    const result = await run(python, ["-m", "pip", "download", `torch==${TORCH_VERSION}`, "--no-deps",
      "--only-binary=:all:", "--progress-bar", "off", "--disable-pip-version-check", "--dest", folder, ...tags], {
      env: { TMPDIR: folder },
    }).finally(() => clearInterval(progress));
    output += result.output;
  }
  const found = there();
  if (found) return join(folder, found);
  throw new MoeError("engine-download",
    `engine build: pip could not download torch ${TORCH_VERSION}:\n${lastLines(output)}\nA connection to `
      + "PyPI or a mirror (pip's own settings apply) is needed, or a wheel given with --wheel FILE. Run the "
      + "command again; finished steps are not repeated.");
}

/** Bytes of all files in a folder; files may vanish meanwhile. */
function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true }).reduce(
    (sum, name) => sum + (statSync(join(folder, String(name)), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

// Unpacks the members of a wheel that match one of the patterns; prints what it unpacked.
const UNPACK = `
import fnmatch, sys, zipfile
wheel, target, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            archive.extract(name, target)
            print(name)
`;

/** Unpacks the members that match the patterns (`*` also stands for "/") and gives their names. */
export async function unpackWheel(
  python: string,
  wheel: string,
  target: string,
  patterns: string[],
): Promise<string[]> {
  const { code, output } = await run(python, ["-c", UNPACK, wheel, target, ...patterns]);
  if (code !== 0)
    throw new MoeError("engine-wheel",
      `engine build: ${wheel} could not be unpacked:\n${lastLines(output)}\nIf the file is damaged, delete `
        + "it and run the command again.");
  return output.trim().split("\n").filter(Boolean);
}
