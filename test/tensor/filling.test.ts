import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fillTensor } from "../../sdk/tensor/filling.js";
import type { Dtype } from "../../sdk/tensor/formats/dtype.js";
import { decode, encode } from "../../sdk/tensor/formats/index.js";
import { Rng, tf } from "../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../support/backends.js";

const rng = new Rng(1);
const numbers = Float32Array.from({ length: 24 }, () => rng.normal());

for (const backend of testedBackends) {
  const test = suite(`tensors filled piece by piece on ${backend}`);
  test.before(() => useBackend(backend));

  for (const dtype of ["F32", "BF16", "F16", "F64", "F8_E4M3", "I8"] as Dtype[]) {
    test(`${dtype}, in any order, at odd places in memory`, async () => {
      const bytes = dtype === "F64"
        ? new Uint8Array(Float64Array.from(numbers).buffer)
        : encode(dtype === "I8" ? numbers.map((x) => Math.round(10 * x)) : numbers, dtype);
      const width = bytes.length / numbers.length;
      const shifted = new Uint8Array(bytes.length + 1).subarray(1);
      shifted.set(bytes);
      const filling = fillTensor([4, 6]);
      for (const [from, to] of [[7, 24], [0, 3], [3, 7]])
        filling.put(from, (from === 0 ? shifted : bytes).slice(from * width, to * width), dtype);
      filling.put(3, shifted.subarray(3 * width, 7 * width), dtype);
      const tensor = filling.done();
      assert.equal(tensor.shape, [4, 6]);
      assert.equal([...(await tensor.data())], [...decode(bytes, dtype)]);
      assert.throws(() => filling.put(0, bytes, dtype), /nothing can be put/);
      tensor.dispose();
    });
  }

  test("one that is given up leaves nothing; half an element and numbers beyond the end are errors", () => {
    const before = tf.memory();
    const filling = fillTensor([3]);
    assert.throws(() => filling.put(0, new Uint8Array(3), "BF16"));
    assert.throws(() => filling.put(2, new Uint8Array(8), "F32"));
    filling.drop();
    filling.drop();
    assert.throws(() => filling.put(0, new Uint8Array(4), "F32"), /nothing can be put/);
    assert.equal([tf.memory().numTensors, tf.memory().numDataBuffers], [before.numTensors, before.numDataBuffers]);
  });

  test.run();
}
