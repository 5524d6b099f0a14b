import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const VENV = process.env.MOELAB_TRANSFORMERS_VENV ?? `${root}/out/transformers-venv`;

/** A Python that can import the packages, or undefined with a line that says what is skipped. */
export function pythonWith(packages: string): string | undefined {
  const found = [`${VENV}/bin/python`, "python3"].find((python) => {
    if (python.includes("/") && !existsSync(python)) return false;
    try {
      execFileSync(python, ["-c", `import ${packages}`], { stdio: "ignore", env: { ...process.env, USE_TORCH: "0" } });
      return true;
    } catch {
      return false;
    }
  });
  if (!found) console.log(`skip: no Python with ${packages}`);
  return found;
}

/** What a script of the fixtures prints, as JSON. */
export function scripted<T>(python: string, script: string, ...args: string[]): T {
  return JSON.parse(
    execFileSync(python, [script, ...args], { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, USE_TORCH: "0" } }),
  ) as T;
}
