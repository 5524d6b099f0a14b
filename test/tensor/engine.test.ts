import { test } from "uvu";
import * as assert from "uvu/assert";
import { inProcess } from "../support/in-process.js";

const print = "console.log(JSON.stringify(await ready()))";

test("one asked for is taken, and nothing is printed on the way", async () => {
  for (const name of ["cpu", "wasm"]) {
    const { value, stdout, stderr } = await inProcess(
      `${print}; tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).dispose();`,
      { MOELAB_BACKEND: name },
    );
    assert.is(value.backend, name);
    assert.is(value.device, "cpu");
    assert.equal(value.refused, []);
    assert.is(stdout.trim().split("\n").length, 1);
    assert.is(stderr, "");
  }
});

test("the environment comes before the option, and a second call gets the first one's choice", async () => {
  const { value } = await inProcess(
    `await ready({ backend: "wasm" }); await ready({ backend: "wasm" }); console.log(JSON.stringify(engineInfo()))`,
    { MOELAB_BACKEND: "cpu" },
  );
  assert.is(value.name, "cpu");
});

test(
  "an unknown name is an error that lists the known ones; a refused one says why, and the next call "
    + "can still succeed",
  async () => {
    const attempt = (name: string) =>
      `const ${name}Error = await ready({ backend: "${name}" }).catch((e) => [e.code, e.message]);`;
    const { value } = await inProcess(
      `${attempt("wasn")} ${attempt("webgpu")} await ready({ backend: "cpu" }); `
        + "console.log(JSON.stringify([wasnError, webgpuError, engineInfo().name]))",
    );
    const [unknown, refused, name] = value;
    assert.is(unknown[0], "unknown-backend");
    assert.match(unknown[1], /Did you mean "wasm"\? Accepted: tensorflow-gpu, torch, tensorflow, webgpu, wasm, cpu/);
    assert.is(refused[0], "backend-refused");
    assert.match(refused[1], /not installed/);
    assert.is(name, "cpu");
  },
);

test("engineInfo before ready is an error", async () => {
  const { value } = await inProcess(`try { engineInfo() } catch (e) { console.log(JSON.stringify(e.code)) }`);
  assert.is(value, "engine-not-ready");
});

test.run();
