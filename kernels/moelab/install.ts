import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync,
  writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { MoeError, suggest } from "../../sdk/errors.js";
import { cannotWrite } from "../../sdk/files/cannot-write.js";
import { installedKernels, type KernelSpec, moelabSpec, packageFolder,
  userDataFolder } from "../headless/kernel-spec.js";
import { tslabSpec } from "../tslab/spec.js";

/** Where a kernel is installed: for this user, or in one environment. */
export interface Place {
  user?: boolean;
  prefix?: string;
}

/** kernel.json until all is there: the mark of an installation that was cut off */
const PART = "kernel.json.moelab-part";
const ICONS = ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"];

/**
 * Writes kernel.json and icons to where Jupyter looks. Paths in it are absolute, because a kernel is started in its
 * notebook's folder.
 *
 * @returns what was installed
 * @throws MoeError `bad-name`, `not-ours`, `cannot-write`
 */
export function installKernel({ name, tslab = false, ...place }: Place & { name: string; tslab?: boolean }): {
  name: string;
  folder: string;
}[] {
  if (!/^[A-Za-z0-9._-]+$/.test(name))
    throw new MoeError("bad-name",
      `kernel install: the name is "${name}"; accepted are letters, digits, ".", "-" and "_". Choose another --name.`);
  const installed = [{ name, folder: write(name, moelabSpec(), place) }];
  if (tslab) installed.push({ name: "moelab-tslab", folder: write("moelab-tslab", tslabSpec(), place) });
  return installed;
}

/** @throws MoeError `not-ours`, or `unknown-kernel` where there is none of that name */
export function uninstallKernel(name: string, place: Place): string {
  const folder = join(folderOf(place), name);
  if (!existsSync(join(folder, "kernel.json")))
    throw new MoeError("unknown-kernel",
      `kernel uninstall: ${folder} is not there. ${suggest(name, [...installedKernels().keys()])}`);
  requireOurs("uninstall", folder);
  for (const file of [...ICONS, PART, "kernel.json"]) rmSync(join(folder, file), { force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder); // else the rest is the user's
  return folder;
}

/** All kernels that Jupyter finds; `state` says what is wrong with ours. */
export function listKernels(): { name: string; folder: string; state: string }[] {
  return [...installedKernels()].map(([name, folder]) => {
    const { argv } = JSON.parse(readFileSync(join(folder, "kernel.json"), "utf8")) as KernelSpec;
    const missing = argv.filter((part) => part.startsWith("/")).find((part) => !existsSync(part));
    return { name, folder, state: missing ? `${missing} is gone: install it again` : "" };
  });
}

function write(name: string, spec: KernelSpec, place: Place): string {
  const folder = join(folderOf(place), name);
  requireOurs("install", folder);
  const part = join(folder, PART);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(part, `${JSON.stringify(spec, null, 1)}\n`);
    for (const icon of ICONS) copyFileSync(join(packageFolder(), "kernels/moelab/icons", icon), join(folder, icon));
    renameSync(part, join(folder, "kernel.json"));
  } catch (error) {
    rmSync(part, { force: true });
    throw cannotWrite("kernel install", folder, error);
  }
  return folder;
}

/** @throws MoeError `not-ours` for a folder with a kernel of somebody else, or with other things */
function requireOurs(what: string, folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).every((name) => name === PART)) return;
  for (const file of ["kernel.json", PART]) {
    try {
      const { display_name: name } = JSON.parse(readFileSync(join(folder, file), "utf8")) as KernelSpec;
      if (/\bmoelab\b/.test(name)) return;
      break;
    } catch {
      // then it does not say that the folder is ours
    }
  }
  throw new MoeError("not-ours",
    `kernel ${what}: ${folder} holds something else than a kernel of moelab; accepted is one that moelab installed, or `
      + "a free name. Choose another --name.");
}

function folderOf({ prefix }: Place): string {
  return prefix === undefined ? join(userDataFolder(), "kernels") : join(resolve(prefix), "share/jupyter/kernels");
}
