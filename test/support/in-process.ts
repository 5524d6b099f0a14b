import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Runs code with the engine imported in a process of its own, because a process chooses once. `value` is its last line,
 * parsed.
 */
export async function inProcess(code: string, env: Record<string, string> = {}, cwd = root, node = process.execPath) {
  const imported = "import { ready, engineInfo, tf } from "
    + `${JSON.stringify(pathToFileURL(join(root, "sdk/tensor/index.ts")).href)};`;
  const run = promisify(execFile)(node, ["--import", pathToFileURL(join(root, "node_modules/tsx/dist/loader.mjs")).href,
    "--input-type=module", "-e", `${imported}\n${code}`], { cwd, env: { ...process.env, MOELAB_BACKEND: "", ...env },
    maxBuffer: 1 << 26 });
  const { stdout, stderr } = await run;
  return { stdout, stderr, value: JSON.parse(stdout.trim().split("\n").pop()!) };
}
