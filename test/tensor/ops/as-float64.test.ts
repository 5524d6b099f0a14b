import type { Tensor } from "@tensorflow/tfjs-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { asFloat64, float64Data, Rng, tf } from "../../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../../support/backends.js";

for (const backend of testedBackends) {
  const test = suite(`float64 on ${backend}`);
  test.before(() => useBackend(backend));

  if (backend !== "torch") {
    test("a back end without it says so, and what to do", async () => {
      assert.throws(() => asFloat64(Float64Array.of(1), [1]), (error: { code: string; message: string }) =>
        error.code === "no-float64" && /npm run engine/.test(error.message));
      const x = tf.tensor1d([1, 2]);
      assert.equal(await float64Data(x), Float64Array.of(1, 2));
      x.dispose();
    });
  } else {
    /** what float64 says of `work`, and what `data()` gives */
    const run = async (work: () => Tensor): Promise<[Float64Array, Float32Array]> => {
      const result = tf.tidy(work);
      const both = [await float64Data(result), await result.data<"float32">()] as [Float64Array, Float32Array];
      result.dispose();
      return both;
    };
    const rng = new Rng(4);
    const numbers = Float64Array.from({ length: 12 }, () => rng.normal());
    const a = () => asFloat64(numbers, [3, 4]);

    test("numbers come back as they went in; data() rounds them", async () => {
      const [wide, narrow] = await run(a);
      assert.equal(wide, numbers);
      assert.equal(narrow, Float32Array.from(numbers));
      const [cast] = await run(() => asFloat64(tf.tensor1d([0.1])));
      assert.equal(cast, Float64Array.of(Math.fround(0.1)));
    });

    test("arithmetic, sums, products, views and functions keep 15 digits, also beside float32", async () => {
      const small = Float64Array.from({ length: 100_000 }, (_, i) => 1 + 1e-9 * i);
      const [[sum]] = await run(() => tf.sum(asFloat64(small, [100_000])));
      assert.ok(Math.abs(sum / (100_000 + 1e-9 * (100_000 * 99_999) / 2) - 1) < 1e-14, `sum ${sum}`);
      const [[mean]] = await run(() => tf.mean(asFloat64(small, [100, 1000])));
      assert.ok(Math.abs(mean / (sum / 100_000) - 1) < 1e-14);
      const [product] = await run(() => tf.matMul(a(), tf.transpose(a())));
      const [mixed] = await run(() => tf.matMul(a(), tf.ones([4, 1])));
      const [exponents] = await run(() => tf.exp(tf.slice(a(), [1, 1], [2, 2])));
      for (let i = 0; i < 3; i++) {
        const row = numbers.subarray(4 * i, 4 * i + 4);
        for (let j = 0; j < 3; j++)
          assert.ok(
            Math.abs(product[3 * i + j] - row.reduce((total, x, k) => total + x * numbers[4 * j + k], 0)) < 1e-14,
          );
        assert.ok(Math.abs(mixed[i] - row.reduce((total, x) => total + x, 0)) < 1e-14);
      }
      assert.equal([...exponents].map((x) => x.toPrecision(14)), [5, 6, 9, 10].map((at) =>
        Math.exp(numbers[at]).toPrecision(14)
      ));
    });

    test("gradients are float64 too", async () => {
      const gradient = tf.tidy(() => tf.grad((x: Tensor) => tf.sum(tf.mul(tf.square(x), x)))(a()));
      const got = await float64Data(gradient);
      gradient.dispose();
      numbers.forEach((x, i) =>
        assert.ok(Math.abs(got[i] - 3 * x * x) < 1e-14 * (1 + x * x), `${got[i]}, expected ${3 * x * x}`)
      );
    });

    test("nothing is left behind", async () => {
      const { native } = tf.backend() as unknown as { native: { memory(): number[] } };
      const before = [tf.memory().numTensors, native.memory()[0]];
      for (let i = 0; i < 3; i++) await run(() => tf.add(a(), asFloat64(tf.ones([4]))));
      assert.equal([tf.memory().numTensors, native.memory()[0]], before);
    });
  }
  test.run();
}
