import type { Tensor, Tensor1D } from "@tensorflow/tfjs-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, encode } from "../../../sdk/tensor/formats/index.js";
import { adamW, asBfloat16, experts, takeRows, tf } from "../../../sdk/tensor/index.js";
import { addonPath, findEngine } from "../../../sdk/tensor/torch/engine-folder.js";
import { loadNative } from "../../../sdk/tensor/torch/native.js";
import { testedBackends, useBackend } from "../../support/backends.js";
import { randomTensor } from "../../support/gradient-check.js";
import { noLeaks } from "../../support/tensors.js";

const rounded = (values: Float32Array) => decode(encode(values, "BF16"), "BF16");
const bits = (x: Tensor) => [...new Uint32Array((x.dataSync() as Float32Array).slice().buffer)];

for (const backend of testedBackends) {
  const test = suite(`bfloat16 on ${backend}`);
  test.before(() => useBackend(backend));

  test("the values are those of the format, ties and special ones included", () =>
    noLeaks(async () => {
      const x = tf.tensor1d([1, -1, 0, -0, 1.00390625, 1.01171875, 3.4e38, -Infinity, 1e-40, 0.1]);
      const y = await asBfloat16(x);
      assert.is(y.dtype, "float32");
      assert.equal(bits(y), [...new Uint32Array(rounded(await x.data<"float32">()).buffer)]);
      tf.dispose([x, y]);
    }));

  test("every operation takes it and gives what the rounded values give", () =>
    noLeaks(async () => {
      const [x, w, bank] = [randomTensor([5, 8]), randomTensor([6, 8], 2), randomTensor([3, 4, 8], 3)];
      const [short, shortBank] = [await asBfloat16(w), await asBfloat16(bank)];
      const [plain, plainBank] = [tf.tensor(rounded(w.dataSync() as Float32Array), w.shape),
        tf.tensor(rounded(bank.dataSync() as Float32Array), bank.shape)];
      const rows = tf.tensor1d([5, 0, 5], "int32");
      const choice = tf.tensor2d([[0], [2], [1], [2], [0]], [5, 1], "int32");
      const operations: ((w: Tensor, bank: Tensor) => Tensor)[] = [(w) => tf.matMul(x, w, false, true), (w) =>
        tf.transpose(w), (w) => tf.slice(w, [1, 2], [3, 4]), (w) => tf.gather(w, rows), (w) => takeRows(w, rows), (w) =>
        tf.add(w, 1), (w) => tf.sum(w, 1), (w) => tf.stack([w, w]), (w) => tf.concat([w, plain]), (w) =>
        tf.reshape(w, [2, 24]), (w) => tf.unstack(w)[2], (w) => tf.einsum("nd,ed->ne", x, w), (w) =>
        tf.matMul(x, tf.transpose(w)), (w) => tf.softmax(tf.slice(w, [0, 0], [2, 8])), (w) => tf.clone(w), (w) =>
        tf.cast(w, "int32"), (w) => tf.cumsum(w, 1), (_, bank) =>
        experts(x, choice, tf.ones([5, 1]), { up: bank, down: tf.transpose(bank, [0, 2, 1]), activation: "relu" })];
      for (const [i, operation] of operations.entries()) {
        const [seen, expected] = tf.tidy(() => [operation(short, shortBank), operation(plain, plainBank)]);
        assert.equal(seen.shape, expected.shape);
        assert.equal(bits(seen), bits(expected), `operation ${i}`);
        tf.dispose([seen, expected]);
      }
      tf.dispose([x, w, bank, short, shortBank, plain, plainBank, rows, choice]);
    }));

  test("gradients pass products with it, and a variable made of it is trained in float32", () =>
    noLeaks(async () => {
      const [x, w] = [randomTensor([3, 8]), randomTensor([2, 8], 2)];
      const short = await asBfloat16(w);
      const plain = tf.tensor(rounded(w.dataSync() as Float32Array), w.shape);
      const gradients = [short, plain].map((w) =>
        tf.tidy(() => tf.grad((x) => tf.sum(tf.square(tf.matMul(x, w, false, true))))(x))
      );
      assert.equal(bits(gradients[0]), bits(gradients[1]));
      const trained = [short, plain].map((start) => {
        const variable = tf.variable(start);
        const [first, second] = [0, 1].map(() => tf.tidy(() => tf.variable(tf.zerosLike(w), false)));
        for (let step = 1; step <= 3; step++)
          adamW([variable], [w], [first], [second], step, { lr: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8,
            decay: [0.1] });
        tf.dispose([first, second]);
        return variable;
      });
      assert.equal(bits(trained[0]), bits(trained[1]));
      assert.equal(bits(short), bits(plain), "what the variable was made of stays");
      tf.dispose([x, w, short, plain, ...gradients, ...trained]);
    }));

  test("empty tensors and single numbers", () =>
    noLeaks(async () => {
      const [none, one] = [tf.zeros([0, 3]), tf.scalar(0.1)];
      const [shortNone, shortOne] = [await asBfloat16(none), await asBfloat16(one)];
      assert.equal([...(await shortNone.data())], []);
      assert.is((await shortOne.data())[0], rounded(Float32Array.of(0.1))[0]);
      tf.dispose([none, one, shortNone, shortOne]);
    }));

  if (backend === "torch") {
    test("it takes half the memory, also after it was used, and as views and rows", () =>
      noLeaks(async () => {
        const native = loadNative(addonPath(findEngine()!.folder));
        const used = () => native.memory()[1];
        const n = 2 ** 20;
        const x = tf.fill([n], 0.5) as Tensor1D;
        tf.add(x, 1).dispose();
        const before = used();
        const short = await asBfloat16(x);
        const near = (bytes: number, expected: number) =>
          assert.ok(Math.abs(bytes - expected) < 8192, `${bytes} bytes, expected ${expected}`);
        near(used() - before, 2 * n);
        tf.dot(short, x).dispose();
        await short.data();
        near(used() - before, 2 * n);
        const view = tf.reshape(short, [1024, 1024]);
        near(used() - before, 2 * n);
        const rows = tf.tidy(() => tf.gather(view, tf.range(0, 512, 1, "int32")));
        near(used() - before, 3 * n);
        tf.dispose([x, short, view, rows]);
      }));
  }

  test.run();
}
