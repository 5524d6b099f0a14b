import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MoeError, suggest } from "../../sdk/errors.js";

/** A kernel.json. */
export interface KernelSpec {
  argv: string[];
  display_name: string;
  language: string;
  interrupt_mode?: "message" | "signal";
  env?: Record<string, string>;
  metadata?: Record<string, unknown>;
}

/** How our own kernel is started; it needs no installation. */
export function moelabSpec(): KernelSpec {
  return {
    argv: [
      process.execPath,
      // a loop in a timer that is torn down by an interrupt leaves Node's bookkeeping of async hooks behind
      "--no-force-async-hooks-checks",
      join(packageFolder(), "dist/kernel/main.js"),
      "{connection_file}",
    ],
    display_name: "TypeScript (moelab)",
    language: "typescript",
    interrupt_mode: "message",
    // glibc would keep what the threads have freed, in a store of each thread
    env: { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072", MALLOC_MMAP_THRESHOLD_: "131072" },
    metadata: { debugger: false },
  };
}

/** Folder of the running moelab package. */
export function packageFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file) && JSON.parse(readFileSync(file, "utf8")).name === "moelab") return folder;
  }
  throw new MoeError("no-package",
    "kernel: no moelab package around the running file; accepted is a command inside its package. "
      + "Install moelab again.");
}

/** Folders in which Jupyter looks for kernels, most personal first. */
export function kernelFolders(): string[] {
  const fromEnvironment = (process.env.JUPYTER_PATH ?? "").split(delimiter).filter(Boolean);
  const roots = [...fromEnvironment, userDataFolder(),
    ...(process.env.VIRTUAL_ENV ? [join(process.env.VIRTUAL_ENV, "share/jupyter")] : []),
    ...(process.env.CONDA_PREFIX ? [join(process.env.CONDA_PREFIX, "share/jupyter")] : []), ...systemFolders()];
  return [...new Set(roots)].map((root) => join(root, "kernels"));
}

/** Jupyter's data folder of this user. */
export function userDataFolder(): string {
  if (process.env.JUPYTER_DATA_DIR) return process.env.JUPYTER_DATA_DIR;
  if (process.platform === "darwin") return join(homedir(), "Library/Jupyter");
  if (process.platform === "win32") return join(process.env.APPDATA ?? homedir(), "jupyter");
  return join(process.env.XDG_DATA_HOME || join(homedir(), ".local/share"), "jupyter");
}

function systemFolders(): string[] {
  return process.platform === "win32"
    ? [join(process.env.PROGRAMDATA ?? "C:/ProgramData", "jupyter")]
    : ["/usr/local/share/jupyter", "/usr/share/jupyter"];
}

/** Installed kernels by name, as `jupyter kernelspec list` finds them. */
export function installedKernels(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of kernelFolders()) {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (!found.has(name) && existsSync(join(folder, name, "kernel.json"))) found.set(name, join(folder, name));
    }
  }
  return found;
}

/**
 * The kernel of a name, or of a path to a kernel.json. "moelab" and "typescript" are ours, installed or not.
 * @throws MoeError `unknown-kernel`
 */
export function findKernel(name: string): KernelSpec {
  if (name.endsWith(".json") && existsSync(name)) return JSON.parse(readFileSync(name, "utf8"));
  const installed = installedKernels();
  const folder = installed.get(name);
  if (name === "moelab") return moelabSpec();
  if (folder) return JSON.parse(readFileSync(join(folder, "kernel.json"), "utf8"));
  throw new MoeError("unknown-kernel",
    `run: kernel "${name}" is not installed. `
      + `${suggest(name, [...new Set(["moelab", ...installed.keys()])])} Choose one with --kernel.`);
}
