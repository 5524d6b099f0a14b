import { test } from "uvu";
import * as assert from "uvu/assert";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs code with the engine imported in a process of its own, because a process chooses once. */
async function inProcess(code: string, env: Record<string, string> = {}, cwd = root) {
  const imported = `import { ready, engineInfo, tf } from ${JSON.stringify(pathToFileURL(join(root, "sdk/tensor/index.ts")).href)};`;
  const run = promisify(execFile)(process.execPath, ["--import", pathToFileURL(join(root, "node_modules/tsx/dist/loader.mjs")).href, "--input-type=module", "-e", `${imported}\n${code}`],
    { cwd, env: { ...process.env, MOELAB_BACKEND: "", ...env } });
  const { stdout, stderr } = await run;
  return { stdout, stderr, value: JSON.parse(stdout.trim().split("\n").pop()!) };
}

const print = "console.log(JSON.stringify(await ready()))";

test("one asked for is taken, and nothing is printed on the way", async () => {
  for (const name of ["cpu", "wasm"]) {
    const { value, stdout, stderr } = await inProcess(`${print}; tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).dispose();`, { MOELAB_BACKEND: name });
    assert.is(value.backend, name);
    assert.is(value.device, "cpu");
    assert.equal(value.refused, []);
    assert.is(stdout.trim().split("\n").length, 1);
    assert.is(stderr, "");
  }
});

test("the environment comes before the option, and a second call gets the first one's choice", async () => {
  const { value } = await inProcess(`await ready({ backend: "wasm" }); await ready({ backend: "wasm" }); console.log(JSON.stringify(engineInfo()))`, { MOELAB_BACKEND: "cpu" });
  assert.is(value.name, "cpu");
});

test("an unknown name is an error that lists the known ones; a refused one says why, and the next call can still succeed", async () => {
  const attempt = (name: string) => `const ${name}Error = await ready({ backend: "${name}" }).catch((e) => [e.code, e.message]);`;
  const { value } = await inProcess(`${attempt("wasn")} ${attempt("webgpu")} await ready({ backend: "cpu" }); console.log(JSON.stringify([wasnError, webgpuError, engineInfo().name]))`);
  const [unknown, refused, name] = value;
  assert.is(unknown[0], "unknown-backend");
  assert.match(unknown[1], /Did you mean "wasm"\? Accepted: tensorflow-gpu, torch, tensorflow, webgpu, wasm, cpu/);
  assert.is(refused[0], "backend-refused");
  assert.match(refused[1], /not installed/);
  assert.is(name, "cpu");
});

test("engineInfo before ready is an error", async () => {
  const { value } = await inProcess(`try { engineInfo() } catch (e) { console.log(JSON.stringify(e.code)) }`);
  assert.is(value, "engine-not-ready");
});

test("a broken native package does not stop the start and is named with reason and cure", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moelab-broken-"));
  const broken = join(folder, "node_modules/@tensorflow/tfjs-node-gpu");
  mkdirSync(broken, { recursive: true });
  writeFileSync(join(folder, "package.json"), "{}");
  writeFileSync(join(broken, "package.json"), JSON.stringify({ name: "@tensorflow/tfjs-node-gpu", version: "4.22.0", main: "index.js" }));
  writeFileSync(join(broken, "index.js"), 'throw new Error("The Node.js native addon module (tfjs_binding.node) can not be found at path: x\\nmore");');
  const { value } = await inProcess(print, {}, folder);
  const refusal = value.refused.find((one: { name: string }) => one.name === "tensorflow-gpu");
  assert.match(refusal.reason, /is installed, but does not load: The Node.js native addon module .* can not be found/);
  assert.not.match(refusal.reason, /\n/);
  assert.match(refusal.cure, /npm rebuild/);
  assert.ok(["torch", "wasm"].includes(value.name), value.name);
  rmSync(folder, { recursive: true });
});

test.run();
