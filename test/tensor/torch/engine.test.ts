import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { lockFolder } from "../../../sdk/files/exclusive-lock.js";
import { buildEngine } from "../../../sdk/tensor/torch/build/build-engine.js";
import { engineId, findEngine, TORCH_VERSION } from "../../../sdk/tensor/torch/engine-folder.js";
import { register } from "../../../sdk/tensor/torch/register.js";

const scratch = mkdtempSync(join(tmpdir(), "moelab-engine-test-"));
test.after(() => rmSync(scratch, { recursive: true, force: true }));

/** Runs something with other environment variables. */
async function withEnv<T>(env: Record<string, string>, work: () => T | Promise<T>): Promise<T> {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) value === undefined ? delete process.env[name] : (process.env[name] = value);
  }
}
const refusal = (engines: string) =>
  withEnv({ MOELAB_ENGINE_DIR: engines }, () => {
    const registration = register();
    assert.is(registration.ok, false);
    return registration as Extract<typeof registration, { ok: false }>;
  });
const buildError = (engines: string, env: Record<string, string> = {}) =>
  withEnv({ MOELAB_ENGINE_DIR: engines, ...env }, async () => {
    const error = await buildEngine().then(() => assert.unreachable("it built"), (error) => error);
    return `${error.code} ${error.message}`.replace(/\n/g, " ");
  });
/** A folder of engines with one that claims to be of some torch. */
function engineWith(name: string, torch: string, addon: (path: string) => void, installed?: string): string {
  const folder = join(scratch, name, engineId());
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "engine.json"),
    JSON.stringify({ torch, installed, platform: `${process.platform}-${process.arch}` }));
  addon(join(folder, "moelab_torch.node"));
  return join(scratch, name);
}

test("without an engine the answer is a reason and a cure", async () => {
  const { reason, cure } = await refusal(join(scratch, "empty"));
  assert.match(reason, /no engine/);
  assert.match(cure, /engine build/);
});

test("a broken addon is a reason, not a crash", async () => {
  const engines = engineWith("broken", TORCH_VERSION, (path) => writeFileSync(path, "not a library"));
  assert.match((await refusal(engines)).reason, /does not load/);
});

test("an addon without its libraries is a reason, not a crash", async () => {
  const engine = findEngine();
  if (!engine) return console.log("skip: no torch engine was built");
  const engines = engineWith("lone", TORCH_VERSION,
    (path) => copyFileSync(join(engine.folder, "moelab_torch.node"), path));
  assert.match((await refusal(engines)).reason, /does not load.*libtorch_cpu/);
});

test("an engine of another torch is not used", async () => {
  assert.match((await refusal(engineWith("old", "1.0.0", (path) => writeFileSync(path, "")))).reason, /no engine/);
});

test("an engine whose installed PyTorch has become another is not loaded, and says so", async () => {
  const site = join(scratch, "site", "torch");
  const engines = engineWith("moved", "2.16.1", (path) => writeFileSync(path, ""), site);
  assert.match((await refusal(engines)).reason, /built against PyTorch 2\.16\.1 in .*torch, which is gone now/);
  mkdirSync(site, { recursive: true });
  writeFileSync(join(site, "version.py"), "debug = False\n__version__ = '2.17.0'\n");
  const { reason, cure } = await refusal(engines);
  assert.match(reason, /which is 2\.17\.0 now/);
  assert.match(cure, /engine build --torch PYTHON/);
  writeFileSync(join(site, "version.py"), "__version__ = '2.16.1'\n");
  assert.match((await refusal(engines)).reason, /does not load/);
});

const failures: [name: string, env: Record<string, string>, expected: RegExp][] = [["no compiler", {
  CXX: "no-such-compiler",
}, /engine-no-compiler .*apt install g\+\+/], ["no pip", { MOELAB_PYTHON: "no-such-python" },
  /engine-no-pip .*--wheel FILE/], ["no index", { PIP_NO_INDEX: "1", PIP_FIND_LINKS: join(scratch, "nothing") },
  /engine-download .*torch 2\.15\.0/]];
for (const [name, env, expected] of failures) {
  test(`build with ${name} says what is missing and leaves nothing that would be taken for an engine`, async () => {
    if (process.platform !== "linux") return;
    const engines = join(scratch, name.replace(" ", "-"));
    assert.match(await buildError(engines, env), expected);
    assert.match((await refusal(engines)).reason, /no engine/);
  });
}

test("two builds in one folder: the second is told of the first, unless that one is gone", async () => {
  const engines = join(scratch, "busy");
  const unlock = await lockFolder(join(engines, `${engineId()}.moelab-part`), "test");
  assert.match(await buildError(engines), new RegExp(`being-written .*process \\(${process.pid}\\)`));
  await unlock();
  assert.match(await buildError(engines, { MOELAB_PYTHON: "no-such-python" }), /engine-no-pip/);
});

test.run();
