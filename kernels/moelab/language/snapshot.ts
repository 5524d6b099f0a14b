import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * V8's memory with TypeScript loaded and the types of Node and moelab parsed: a process that starts from it answers at
 * once, where reading all that takes two seconds. It suits the Node that wrote it alone.
 */
const NAME = `language-${process.version}-${process.platform}-${process.arch}.cache`;

/** What a process that writes a snapshot and one that starts from it must have in common. */
const FLAGS = [
  "--no-warnings",
  // V8 lets garbage grow in proportion to what may be used at most: these are no bounds that a notebook meets
  "--max-old-space-size=1024",
  "--max-semi-space-size=8",
  // TypeScript's checker is one function of 50,000 lines, called once for a cell: after some 500 cells V8 would optimise
  // it, which takes 140 MB that do not come back, and gains nothing
  "--max-optimized-bytecode-size=25000",
];

/**
 * Arguments by which Node starts from the snapshot of a built kernel; undefined if there is none, or one that is older
 * than what it holds.
 */
export function snapshotArguments(kernel: string): string[] | undefined {
  const file = join(kernel, NAME);
  const written = modifiedAt(file);
  const isNewer = written > 0 && sources(kernel).every((source) => modifiedAt(source) <= written);
  return isNewer ? [...FLAGS, "--snapshot-blob", file] : undefined;
}

/** Writes the snapshot, in some seconds; other kernels see all of it or nothing. */
export function writeSnapshot(kernel: string): void {
  const part = join(kernel, `${NAME.replace(".cache", "")}-${process.pid}.part.cache`);
  const { spawnSync } = process.getBuiltinModule("node:child_process"); // which itself cannot be part of a snapshot
  const building = spawnSync(process.execPath, [...FLAGS, "--snapshot-blob", part, "--build-snapshot",
    join(kernel, "language.cjs")], { env: environment(), encoding: "utf8" });
  try {
    if (building.status !== 0) throw new Error(building.stderr.slice(-2000));
    renameSync(part, join(kernel, NAME));
  } finally {
    rmSync(part, { force: true });
  }
}

export function removeSnapshot(kernel: string): void {
  rmSync(join(kernel, NAME), { force: true });
}

/** The user's own options for Node would make the two differ. */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, NODE_OPTIONS: "" };
}

function sources(kernel: string): string[] {
  const types = join(kernel, "types");
  return [join(kernel, "language.cjs"), ...readdirSync(types).map((name) => join(types, name))];
}

function modifiedAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
