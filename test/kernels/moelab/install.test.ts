import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { kernelFolders, userDataFolder } from "../../../kernels/headless/kernel-spec.js";
import { installKernel, listKernels, uninstallKernel } from "../../../kernels/moelab/install.js";

const test = suite("install");
const VARIABLES = ["HOME", "XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_PATH", "VIRTUAL_ENV", "CONDA_PREFIX"] as const;
const before = VARIABLES.map((name) => [name, process.env[name]] as const);
const started = process.cwd();
let home = "";
test.before.each(() => {
  home = mkdtempSync(join(tmpdir(), "moelab-home-"));
  for (const name of VARIABLES) delete process.env[name];
  process.env.HOME = home;
});
test.after.each(() => {
  process.chdir(started);
  rmSync(home, { recursive: true });
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** Where VS Code's Jupyter extension looks on Linux and macOS, besides JUPYTER_PATH and Python's environments. */
const searched = () =>
  ["Library/Jupyter/kernels", ".local/share/jupyter/kernels"].map((path) => join(homedir(), path)).concat(
    "/usr/local/share/jupyter/kernels",
    "/usr/share/jupyter/kernels",
  );

/** An installed tslab, as far as its kernel.json needs one. */
function pretendTslab(): void {
  mkdirSync(join(home, "node_modules/tslab/bin"), { recursive: true });
  writeFileSync(join(home, "node_modules/tslab/package.json"), "{ \"name\": \"tslab\", \"version\": \"1.0.22\" }");
  writeFileSync(join(home, "node_modules/tslab/bin/tslab"), "");
  process.chdir(home);
}

test("both kernels lie where JupyterLab and VS Code search, and say all that they read", () => {
  pretendTslab();
  const installed = installKernel({ name: "moelab", user: true, tslab: true });
  assert.equal(installed.map(({ name }) => name), ["moelab", "moelab-tslab"]);
  for (const { name, folder } of installed) {
    assert.ok(searched().includes(join(folder, "..")), folder);
    assert.is(join(folder, ".."), kernelFolders()[0]);
    const spec = JSON.parse(readFileSync(join(folder, "kernel.json"), "utf8"));
    assert.is(spec.language, "typescript"); // VS Code's own name of the language: it colours cells by it
    assert.ok(spec.display_name.length > 0);
    assert.ok(spec.argv.includes("{connection_file}"));
    assert.ok(isAbsolute(spec.argv[0]));
    accessSync(spec.argv[0], constants.X_OK);
    for (const part of spec.argv.filter((each: string) => each.endsWith(".js")))
      assert.ok(isAbsolute(part) && statSync(part).isFile(), part);
    for (const icon of ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"])
      assert.ok(statSync(join(folder, icon)).size > 0);
    assert.is(listKernels().find((each) => each.name === name)?.state, "");
  }
});

test("into an environment, and away again", () => {
  const [{ folder } = { folder: "" }] = installKernel({ name: "ours-2", prefix: join(home, "env") });
  assert.is(folder, join(home, "env/share/jupyter/kernels/ours-2"));
  process.env.VIRTUAL_ENV = join(home, "env");
  assert.ok(listKernels().some(({ name }) => name === "ours-2"));
  assert.is(uninstallKernel("ours-2", { prefix: join(home, "env") }), folder);
  assert.throws(() => uninstallKernel("ours-2", { prefix: join(home, "env") }), /is not there/);
});

test("a kernel whose program is gone is listed as such, and a bad name refused", () => {
  process.env.XDG_DATA_HOME = join(home, "data");
  installKernel({ name: "moelab" });
  assert.is(userDataFolder(), join(home, "data/jupyter"));
  assert.throws(() => installKernel({ name: "a/b" }), /the name is "a\/b"/);
});

test("the kernel of somebody else is neither replaced nor removed, nor is what the user put beside ours", () => {
  const [{ folder }] = installKernel({ name: "moelab", user: true });
  const python = join(folder, "../python3");
  mkdirSync(python);
  writeFileSync(join(python, "kernel.json"),
    JSON.stringify({ argv: [], display_name: "Python 3", language: "python" }));
  for (const change of [() => installKernel({ name: "python3", user: true }),
    () => uninstallKernel("python3", { user: true })])
    assert.throws(change, (error: { code: string }) => error.code === "not-ours");
  assert.match(readFileSync(join(python, "kernel.json"), "utf8"), /Python 3/);
  writeFileSync(join(folder, "notes.txt"), "mine");
  installKernel({ name: "moelab", user: true });
  uninstallKernel("moelab", { user: true });
  assert.is(readFileSync(join(folder, "notes.txt"), "utf8"), "mine");
});

test.run();
