import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tfjsNode, tfjsNodeGpu } from "../../../sdk/tensor/backends/tfjs-node.js";
import { inProcess } from "../../support/in-process.js";

const scratch = mkdtempSync(join(tmpdir(), "moelab-packages-"));
test.after(() => rmSync(scratch, { recursive: true, force: true }));

/** A project that has a stand-in for tfjs-node (or another package) with this code. */
function projectWith(code: string, files: Record<string, Uint8Array> = {}, name = "@tensorflow/tfjs-node"): string {
  const project = mkdtempSync(join(scratch, "project-"));
  const folder = join(project, "node_modules", name);
  mkdirSync(folder, { recursive: true });
  for (const part of ["tfjs-core", "tfjs-backend-cpu"])
    symlinkSync(fileURLToPath(new URL(`../../../node_modules/@tensorflow/${part}`, import.meta.url)),
      join(project, "node_modules/@tensorflow", part));
  writeFileSync(join(project, "package.json"), "{}");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version: "4.22.0", main: "index.js" }));
  writeFileSync(join(folder, "index.js"), code);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
  return project;
}

/**
 * Starts the candidate in a project; as the package is tried in a process of its own first, nothing of it is loaded
 * here.
 */
async function refusal(project: string, candidate = tfjsNode) {
  const before = process.cwd();
  process.chdir(project);
  process.env.MOELAB_PACKAGE_LIMIT_MS = "20000";
  try {
    const outcome = await candidate.start(false);
    if (outcome.ok) throw new Error("it was taken");
    return outcome;
  } finally {
    process.chdir(before);
    delete process.env.MOELAB_PACKAGE_LIMIT_MS;
  }
}

/** Computes as TensorFlow.js's JavaScript back end does, under the name of the native one. */
const WORKING = `
  const tf = require("@tensorflow/tfjs-core");
  require("@tensorflow/tfjs-backend-cpu");
  tf.copyRegisteredKernels("cpu", "tensorflow");
  tf.registerBackend("tensorflow", () => Object.assign(Object.create(tf.findBackend("cpu")), { isUsingGpuDevice: GPU }), 3);
  tf.setBackend("tensorflow");
  module.exports = { ...tf, version: { "tfjs-core": "4.22.0", "tfjs-node": "4.22.0" } };
`.replace("GPU", "false");

// the first bytes of a library for another processor (ELF, 64 bit, machine 183: arm64)
const elf = new Uint8Array(64);
elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
elf.set([3, 0, process.arch === "arm64" ? 62 : 183, 0, 1], 16);

const broken: [name: string, code: string, expected: RegExp][] = [["throws while loading",
  "throw new Error(\"The Node.js native addon module (tfjs_binding.node) can not be found at path: x\\nmore\")",
  /can not be found at path: x$/], ["misses a module", "require(\"no-such-module\")",
  /Cannot find module 'no-such-module'/], ["is built for another processor", "require(\"./binding.node\")",
  /binding\.node/], ["ends the process", "process.abort()", /it ends the process with SIG/], [
  "leaves with an exit status",
  "process.exit(7)",
  /exit status 7/,
], ["throws what is no error", "throw \"so\"", /exit status|so/], ["gives nothing", "", /is not a function/], [
  "computes nonsense",
  WORKING + "module.exports.matMul = (a) => a;",
  /is 1, not 11/,
]];
for (const [name, code, expected] of broken) {
  test(`a package that ${name} is refused with reason and cure`, async () => {
    const { reason, cure } = await refusal(projectWith(code, { "binding.node": elf }));
    assert.match(reason, /^@tensorflow\/tfjs-node is installed, but does not load: /);
    assert.match(reason, expected);
    assert.not.match(reason, /\n/);
    assert.match(cure, /npm rebuild/);
  });
}

test("a package that never finishes loading is given up", async () => {
  process.env.MOELAB_PACKAGE_LIMIT_MS = "1000";
  const project = projectWith("for (;;);");
  const before = process.cwd();
  process.chdir(project);
  try {
    const outcome = await tfjsNode.start(false);
    assert.match((outcome as { reason: string }).reason, /does not finish loading within 1 s/);
  } finally {
    process.chdir(before);
    delete process.env.MOELAB_PACKAGE_LIMIT_MS;
  }
});

test("a half-installed package, a folder without its files, is refused", async () => {
  const project = projectWith("");
  rmSync(join(project, "node_modules/@tensorflow/tfjs-node/index.js"));
  assert.match((await refusal(project)).reason, /Cannot find module/);
});

test("start-up passes a broken package and takes the next back end", async () => {
  const { value, stderr } = await inProcess("console.log(JSON.stringify(await ready()))", {},
    projectWith("process.abort()", {}, "@tensorflow/tfjs-node-gpu"));
  const refused = value.refused.find((one: { name: string }) => one.name === "tensorflow-gpu");
  assert.match(refused.reason, /it ends the process with SIG/);
  assert.ok(["torch", "wasm"].includes(value.name), value.name);
  assert.is(stderr, "");
});

test("a package that works is taken, what it prints is not heard, and it finds what newer Node lacks", async () => {
  const chatty = "console.log(\"hello\"); process.stdout.write(\"from stdout\\n\"); console.error(\"2026: "
    + "cpu_feature_guard\"); const util = require(\"util\"); if (util.isNullOrUndefined(1) || "
    + "!util.isArray([])) throw new Error(\"shim\");"
    + WORKING;
  const code = "import util from \"node:util\"; delete util.isNullOrUndefined; delete util.isArray; const info = "
    + "await ready(); const y = tf.add(2, 3); console.log(JSON.stringify([info.name, info.version, "
    + "tf.getBackend(), (await y.data())[0]]))";
  const { value, stdout, stderr } = await inProcess(code, { MOELAB_BACKEND: "tensorflow" }, projectWith(chatty));
  assert.equal(value, ["tensorflow", "4.22.0", "tensorflow", 5]);
  assert.is(stdout.trim().split("\n").length, 1, stdout);
  assert.is(stderr, "");
});

test("the GPU package without a GPU is refused as such", async () => {
  const code =
    "const e = await ready({ backend: \"tensorflow-gpu\" }).catch((e) => e); console.log(JSON.stringify(e.message))";
  const { value } = await inProcess(code, {}, projectWith(WORKING, {}, "@tensorflow/tfjs-node-gpu"));
  assert.match(value, /loads, but sees no GPU/);
});

test("a package that is not there is not installed", async () => {
  const project = mkdtempSync(join(scratch, "empty-"));
  writeFileSync(join(project, "package.json"), "{}");
  assert.match((await refusal(project, tfjsNodeGpu)).reason, /is not installed/);
});

test.run();
