import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync,
  symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { KernelClient } from "../../../../kernels/headless/kernel-client.js";
import { moelabSpec, packageFolder } from "../../../../kernels/headless/kernel-spec.js";
import { snapshotArguments } from "../../../../kernels/moelab/language/snapshot.js";
import { until } from "../../session.js";

const test = suite("snapshot");
const home = mkdtempSync(join(realpathSync(tmpdir()), "moelab-snapshot-"));
const kernelFolder = join(home, "dist/kernel");
mkdirSync(join(home, "dist"));
cpSync(join(packageFolder(), "package.json"), join(home, "package.json"));
cpSync(join(packageFolder(), "dist/kernel"), kernelFolder, { recursive: true, preserveTimestamps: true });
for (const name of ["node_modules", "data"]) symlinkSync(join(packageFolder(), name), join(home, name));
test.after(() => rmSync(home, { recursive: true, force: true }));

const started = spawnSync(process.execPath, [join(kernelFolder, "language.cjs"), "prepare"], { encoding: "utf8" });

/** What three cells say, and whether the language service is a process of its own. */
async function tried() {
  const spec = moelabSpec();
  const argv = spec.argv.map((word) => (word.endsWith("main.js") ? join(kernelFolder, "main.js") : word));
  const kernel = await KernelClient.start({ ...spec, argv }, home);
  const run = async (code: string) => {
    const { content } = await kernel.execute(code).reply;
    return content.status === "ok" ? "ok" : `${content.ename}: ${content.evalue}`;
  };
  const said = [await run("const n: number = 1; n"), await run("const text: string = n"),
    await run("import { moe } from \"moelab\"; moe.lod")];
  const ownProcess = children(kernel.pid!).find((pid) => commandLine(pid).includes("--snapshot-blob"));
  return { said, ownProcess, kernel };
}

const children = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(/\s+/).filter(Boolean).map(Number)
  );
const commandLine =
  (pid: number) => (existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "");

const SAID = ["ok", /^TypeScriptError: 1:7 - Type 'number' is not assignable/,
  /^TypeScriptError: .*'lod' does not exist/];
const says = (said: string[]) => {
  for (const [index, expected] of SAID.entries())
    if (typeof expected === "string") assert.is(said[index], expected);
    else assert.match(said[index]!, expected);
};

test("a kernel checks cells in a process that starts from the snapshot, and takes it along", async () => {
  assert.is(started.status, 0, started.stderr);
  assert.ok(snapshotArguments(kernelFolder));
  const { said, ownProcess, kernel } = await tried();
  says(said);
  assert.ok(ownProcess);
  process.kill(kernel.pid!, "SIGKILL");
  await until(() => !commandLine(ownProcess).includes("--snapshot-blob"));
  await kernel.stop();
});

test("a snapshot that is damaged is removed, and the cells are checked in a thread", async () => {
  const file = snapshotArguments(kernelFolder)!.at(-1)!;
  const bytes = readFileSync(file);
  for (const damaged of [Buffer.alloc(0), Buffer.from("not a snapshot"), bytes.subarray(0, bytes.length / 2)]) {
    writeFileSync(file, damaged);
    const { said, ownProcess, kernel } = await tried();
    says(said);
    assert.is(ownProcess, undefined);
    assert.is.not(existsSync(file) && statSync(file).size, damaged.length); // a new one may be there already
    await kernel.stop();
  }
});

test("one that is older than the kernel's code or types is not used", () => {
  writeFileSync(join(kernelFolder, `language-${process.version}-${process.platform}-${process.arch}.cache`), "");
  assert.ok(snapshotArguments(kernelFolder));
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(kernelFolder, "types/moelab.d.ts"), later, later);
  assert.is(snapshotArguments(kernelFolder), undefined);
});

test.run();
