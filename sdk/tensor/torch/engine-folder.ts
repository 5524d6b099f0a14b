import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The torch release that the engine is compiled against: addon and headers must match exactly. */
export const TORCH_VERSION = "2.15.0";

/** What `engine.json` in an engine folder says. */
export interface EngineManifest {
  torch: string;
  /** of an engine that uses an installed PyTorch: the Python that has it, and the folder of the package */
  python?: string;
  installed?: string;
  platform: string;
  /** hash of the native sources it was compiled from */
  sources: string;
  compiler: string;
  cuda: boolean;
  built: string;
}

export interface Engine {
  folder: string;
  manifest: EngineManifest;
}

/** Name of the folder of an engine, the same for every project: `torch-2.15.0-linux-x64`. */
export function engineId(): string {
  return `torch-${TORCH_VERSION}-${process.platform}-${process.arch}`;
}

/** The folder of this package: the one whose package.json is named moelab, above this file or its bundle. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name === "moelab") return folder;
    if (dirname(folder) === folder) return process.cwd();
    folder = dirname(folder);
  }
}

/** `.engine/` of a clone of this repository. */
export function projectEngines(): string {
  return join(packageRoot(), ".engine");
}

/** The user's cache, shared by all projects. */
export function sharedEngines(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "moelab", "engine");
}

/**
 * Where engines are looked for, first come first served. `MOELAB_ENGINE_DIR` replaces the list; it may name the
 * folder of engines or one engine.
 */
export function engineFolders(): string[] {
  const chosen = process.env.MOELAB_ENGINE_DIR;
  if (chosen) return existsSync(join(chosen, "engine.json")) ? [resolve(chosen)] : [join(resolve(chosen), engineId())];
  const places = [projectEngines(), join(process.cwd(), ".engine"), sharedEngines()];
  return [...new Set(places)].map((place) => join(place, engineId()));
}

/** The first engine that was built to the end, or undefined. */
export function findEngine(): Engine | undefined {
  for (const folder of engineFolders()) {
    const manifest = readManifest(folder);
    if (manifest && existsSync(addonPath(folder))) return { folder, manifest };
  }
  return undefined;
}

/** What engine.json of a folder says; undefined if there is none, or it is for another torch or platform. */
export function readManifest(folder: string): EngineManifest | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, "engine.json"), "utf8")) as EngineManifest;
    return (manifest.installed || manifest.torch === TORCH_VERSION)
        && manifest.platform === `${process.platform}-${process.arch}`
      ? manifest
      : undefined;
  } catch {
    return undefined;
  }
}

/** The version of an installed PyTorch; undefined where there is none. */
export function installedVersion(folder: string): string | undefined {
  try {
    return /^__version__ = ['"](.+)['"]/m.exec(readFileSync(join(folder, "version.py"), "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

export function addonPath(folder: string): string {
  return join(folder, "moelab_torch.node");
}
