import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findEngine } from "../../sdk/tensor/torch/engine-folder.js";
import { inProcess } from "../support/in-process.js";

// The Node that runs this, and those that MOELAB_OTHER_NODES names (the gate installs 22 and 24).
const others = (process.env.MOELAB_OTHER_NODES ?? "").split(delimiter).filter(Boolean);
if (others.length === 0) console.log("skip: no other Node is named in MOELAB_OTHER_NODES");

const project = mkdtempSync(join(tmpdir(), "moelab-nodes-"));
test.after(() => rmSync(project, { recursive: true, force: true }));
const packages = join(project, "node_modules/@tensorflow");
mkdirSync(join(packages, "tfjs-node"), { recursive: true });
for (const part of ["tfjs-core", "tfjs-backend-cpu"])
  symlinkSync(fileURLToPath(new URL(`../../node_modules/@tensorflow/${part}`, import.meta.url)), join(packages, part));
writeFileSync(join(project, "package.json"), "{}");
writeFileSync(join(packages, "tfjs-node/package.json"),
  JSON.stringify({ name: "@tensorflow/tfjs-node", version: "4.22.0", main: "index.js" }));
// asks of node:util what the real one does with every operation, and newer Nodes have not
writeFileSync(join(packages, "tfjs-node/index.js"), `
  const tf = require("@tensorflow/tfjs-core"), util = require("node:util");
  require("@tensorflow/tfjs-backend-cpu");
  tf.copyRegisteredKernels("cpu", "tensorflow");
  const check = () => { if (!util.isNullOrUndefined(null) || !util.isArray([])) throw new Error("util is not shimmed"); };
  tf.registerBackend("tensorflow", () => new Proxy(tf.findBackend("cpu"), { get(target, key) { if (key === "write") check(); const value = target[key]; return typeof value === "function" ? value.bind(target) : value; } }), 3);
  tf.setBackend("tensorflow");
  module.exports = { ...tf, version: { "tfjs-core": "4.22.0", "tfjs-node": "4.22.0" } };`);

const compute = `
  const { name, refused } = await ready();
  const product = tf.matMul(tf.ones([3, 4]), tf.ones([4, 2]));
  console.log(JSON.stringify({ name, refused: refused.map((one) => one.name), values: [...(await product.data())] }));`;

for (const node of [process.execPath, ...others]) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();

  test(`Node ${version}: every back end of the project starts and computes, and says nothing`, async () => {
    for (const backend of [...(findEngine() ? ["torch"] : []), "wasm", "cpu"]) {
      const { value, stderr } = await inProcess(compute, { MOELAB_BACKEND: backend }, undefined, node);
      assert.is(value.name, backend);
      assert.equal(value.values, [4, 4, 4, 4, 4, 4]);
      assert.is(stderr.replace(/^\(node.*\n|^\(Use `node.*\n/gm, ""), "");
    }
  });

  test(`Node ${version}: the order of choice, with an installed tfjs-node, whose lost functions it gets back`, async () => {
    const { value } = await inProcess(compute, { MOELAB_ENGINE_DIR: join(project, "none") }, project, node);
    assert.is(value.name, "tensorflow");
    assert.equal(value.refused, ["tensorflow-gpu", "torch"]);
    assert.equal(value.values, [4, 4, 4, 4, 4, 4]);
    if (findEngine())
      assert.is((await inProcess(compute, {}, project, node)).value.name, "torch", "the engine comes before it");
  });
}

test.run();
