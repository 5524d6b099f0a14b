import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { MoeError } from "../../../errors.js";
import { lastLines, run } from "./run.js";

/** A PyTorch that is installed for a Python: by pip, conda, or a cluster's module. */
export interface InstalledTorch {
  version: string;
  /** of the package: its libraries are in `lib`, its headers in `include` */
  folder: string;
  /** of the environment; conda keeps in its `lib` what PyTorch's libraries need */
  prefix: string;
  cuda: boolean;
  /** whether std::string is C++11's, as in all wheels since 2.7 */
  newStrings: boolean;
}

const PARTS = ["lib", "include"];

const ASK = `
import json, os, sys, torch
print(json.dumps({ "version": str(torch.__version__), "folder": os.path.dirname(os.path.abspath(torch.__file__)),
    "prefix": sys.prefix, "cuda": torch.backends.cuda.is_built(), "newStrings": torch.compiled_with_cxx11_abi() }))
`;

/**
 * Asks a Python for its PyTorch.
 *
 * @throws MoeError `engine-no-torch` if there is none that starts, or one without headers
 */
export async function installedTorch(python: string): Promise<InstalledTorch> {
  const { code, output } = await run(python, ["-c", ASK]);
  const refuse = (seen: string) =>
    new MoeError("engine-no-torch",
      `engine build: --torch ${python}: ${seen}\nAccepted is a Python in whose environment "import torch" works, with `
        + "PyTorch's headers. Without --torch the pinned wheel is downloaded.");
  if (code !== 0) throw refuse(lastLines(output));
  const found = JSON.parse(lastLines(output, 1)) as InstalledTorch;
  for (const part of ["include/ATen/ATen.h", "lib"])
    if (!existsSync(join(found.folder, part))) throw refuse(`${join(found.folder, part)} is not there`);
  return { ...found, cuda: found.cuda && existsSync(join(found.folder, "lib", "libtorch_cuda.so")) };
}

/** Lets an engine folder have libraries and headers of an installed PyTorch, which stay where they are. */
export function linkTorch({ folder }: InstalledTorch, target: string): void {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const part of PARTS) symlinkSync(join(folder, part), join(target, part), "dir");
}

/** Takes such links away, so that nothing is written through them. */
export function unlinkTorch(target: string): void {
  for (const path of PARTS.map((part) => join(target, part)))
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(path);
}
