import { test } from "uvu";
import * as assert from "uvu/assert";
import { diagnose } from "../../sdk/cli/diagnosis.js";
import { DISPLAY } from "../../sdk/view/displayable.js";

test("the doctor's findings: back ends with reasons, speeds, caches, kernels, advice", async () => {
  process.env.MOELAB_BACKEND = "wasm";
  const diagnosis = await diagnose();
  const { engine, backends, speed, machine, node, next, caches } = JSON.parse(JSON.stringify(diagnosis));
  assert.is(engine.name, "wasm");
  assert.equal(backends.map(({ name }: { name: string }) => name), ["tensorflow-gpu", "torch", "tensorflow", "webgpu",
    "wasm", "cpu"]);
  assert.is(backends.find(({ name }: { name: string }) => name === "wasm").state, "in use");
  for (const value of [...Object.values(speed), machine.memoryBytes, machine.cores] as number[])
    assert.ok(value > 0 && Number.isFinite(value));
  assert.ok(node.accepted);
  assert.is(caches.length, 2);
  assert.match(next.join("\n"), /MOELAB_BACKEND is wasm/);
  const text = diagnosis.toText();
  for (const part of ["GF/s", "GB/s", "Node", "notebook kernels", "what to do next"])
    assert.ok(text.includes(part), part);
  const { data } = diagnosis[DISPLAY]();
  assert.is(data["text/plain"], text);
  assert.match(String(data["text/html"]), /<table>.*matrix product/s);
});

test.run();
