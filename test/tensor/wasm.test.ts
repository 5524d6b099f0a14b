import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tf } from "../../sdk/tensor/index.js";
import type { WasmBackend } from "../../sdk/tensor/wasm/heap.js";
import { useBackend } from "../support/backends.js";
import { randomTensor, tensorClose } from "../support/gradient-check.js";
import { noLeaks } from "../support/tensors.js";

test.before(() => useBackend("wasm"));

test("transpose of any shape and order moves every number to its place", () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(shapes.chain((shape) =>
      fc.tuple(fc.constant(shape), fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }))
    ), ([shape, perm]) => {
      noLeaks(() =>
        tf.tidy(() => {
          const x = randomTensor(shape);
          const turned = tf.transpose(x, perm);
          assert.equal(turned.shape, perm.map((axis) =>
            shape[axis]
          ));
          const [from, to] = [x.bufferSync(), turned.bufferSync()];
          for (let at = 0; at < x.size; at++) {
            const place = to.indexToLoc(at);
            const source = new Array<number>(shape.length);
            perm.forEach((axis, i) => (source[axis] = place[i]));
            assert.is(to.values[at], from.values[from.locToIndex(source)]);
          }
        })
      );
    }),
    { numRuns: 60, seed: 2 },
  );
});

test("transpose and gather of integers and booleans", () =>
  tf.tidy(() => {
    const x = tf.tensor2d([[1, -2, 3], [2 ** 30, 5, 6]], [2, 3], "int32");
    assert.equal([...tf.transpose(x).dataSync()], [1, 2 ** 30, -2, 5, 3, 6]);
    assert.is(tf.transpose(x).dtype, "int32");
    assert.equal([...tf.gather(tf.tensor1d([true, false, true], "bool"), tf.tensor1d([1, 2], "int32")).dataSync()], [0,
      1]);
    assert.equal([...tf.gather(x, tf.tensor2d([[1], [0]], [2, 1], "int32"), 1, 1).dataSync()], [-2, 2 ** 30]);
    assert.equal([...tf.stridedSlice(x, [0, 1], [2, 3], [1, 1]).dataSync()], [-2, 3, 5, 6]);
  }));

test("sums and means of any axes are those of float64, rounded once", () => {
  const cases = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }).chain((shape) =>
    fc.record({ shape: fc.constant(shape), axes: fc.subarray([...shape.keys()], { minLength: 1 }),
      keepDims: fc.boolean() })
  );
  fc.assert(fc.property(cases, ({ shape, axes, keepDims }) => {
    noLeaks(() =>
      tf.tidy(() => {
        const x = randomTensor(shape);
        const expected = new Map<string, number>();
        const from = x.bufferSync();
        for (let at = 0; at < x.size; at++) {
          const place = from.indexToLoc(at).filter((_, axis) => !axes.includes(axis)).join();
          expected.set(place, (expected.get(place) ?? 0) + from.values[at]);
        }
        const [sum, mean] = [tf.sum(x, axes, keepDims), tf.mean(x, axes, keepDims)];
        assert.equal(sum.shape, keepDims
          ? shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
          : shape.filter((_, axis) => !axes.includes(axis)));
        const count = axes.reduce((size, axis) => size * shape[axis], 1);
        // one unit in the last place: float64 sums in another order may round to the neighbour
        const near = (value: number, wanted: number) =>
          assert.ok(Math.abs(value - wanted) <= 2 ** -23 * Math.max(Math.abs(wanted), 1e-6),
            `${value}, expected ${wanted}`);
        [...expected.values()].forEach((value, i) => {
          near(sum.dataSync()[i], value);
          near(mean.dataSync()[i], value / count);
        });
      })
    );
  }), { numRuns: 60, seed: 3 });
});

test("a long sum keeps its digits; integers stay integers; nothing adds up to 0", () =>
  noLeaks(() =>
    tf.tidy(() => {
      const n = 2 ** 20;
      assert.is(tf.sum(tf.fill([n], 0.1)).dataSync()[0], Math.fround(n * Math.fround(0.1)));
      assert.is(tf.mean(tf.fill([n], 0.1)).dataSync()[0], Math.fround(0.1));
      assert.equal([...tf.sum(tf.tensor2d([[1, 2], [3, 4]], [2, 2], "int32"), 0).dataSync()], [4, 6]);
      assert.is(tf.sum(tf.tensor1d([1, 2], "int32")).dtype, "int32");
      assert.is(tf.sum(tf.tensor1d([true, true, false], "bool")).dataSync()[0], 2);
      assert.equal([...tf.sum(tf.zeros([0, 2]), 0).dataSync()], [0, 0]);
      assert.equal(tf.sum(tf.zeros([2, 0]), 1).shape, [2]);
      assert.ok(Number.isNaN(tf.mean(tf.zeros([0])).dataSync()[0]));
    })
  ));

test("one-hot rows of every type, empty for indices outside", () =>
  tf.tidy(() => {
    const indices = tf.tensor1d([2, -1, 0, 3], "int32");
    assert.equal([...tf.oneHot(indices, 3, 1, 0, "float32").dataSync()], [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    assert.equal([...tf.oneHot(indices, 3, 0.5, -2, "float32").dataSync()].slice(0, 6), [-2, -2, 0.5, -2, -2, -2]);
    assert.equal([...tf.oneHot(indices, 3).dataSync()], [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
  }));

test("products leave no tensor and no memory behind, and take empty matrices", () =>
  noLeaks(() =>
    tf.tidy(() => {
      const dataIds = () => (tf.backend() as unknown as { numDataIds(): number }).numDataIds();
      const [a, b] = [randomTensor([3, 2, 4]), randomTensor([3, 5, 4], 2)];
      const before = dataIds();
      tf.matMul(a, b, false, true).dispose();
      assert.is(dataIds(), before);
      assert.equal(tf.matMul(tf.zeros([0, 4]), tf.zeros([4, 2])).shape, [0, 2]);
      tensorClose(tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 2])), [0, 0, 0, 0], 0);
    })
  ));

test("a name for the same memory outlives the tensor that it was made of", () =>
  noLeaks(() => {
    const x = tf.tensor1d([1, 2, 3]) as Tensor;
    const same = tf.clone(x);
    x.dispose();
    assert.equal([...same.dataSync()], [1, 2, 3]);
    same.dispose();
  }));

test("bad input is an error that says what is wrong", () =>
  tf.tidy(() => {
    assert.throws(() => tf.gather(tf.zeros([3, 2]), tf.tensor1d([3], "int32")),
      /index value 3 at 0 is not in \[0, 2\]/);
    assert.throws(() => tf.unsortedSegmentSum(tf.zeros([1, 2]), tf.tensor1d([4], "int32"), 2),
      /id 4 at 0 of 2 segments/);
    assert.throws(() => tf.einsum("ij,jk->ik", tf.zeros([2, 3]), tf.zeros([4, 2])), /letter j has two lengths/);
  }));

test("out of memory is an error, and what was there before is intact", () =>
  noLeaks(() => {
    const small = tf.tensor1d([1, 2, 3]);
    const backend = tf.backend() as unknown as WasmBackend;
    // too large for one tensor, just below where the size in bytes would wrap around, and where it would be 0
    for (const size of [2 ** 29 + 1, 2 ** 30 - 2 ** 12, 2 ** 30])
      assert.throws(() => backend.makeOutput([size], "float32"), /no room for [24]\d{9} bytes in WebAssembly/);
    const sum = tf.add(small, 1);
    assert.equal([...sum.dataSync()], [2, 3, 4]);
    tf.dispose([small, sum]);
  }));

test("numbers of another back end come over before somebody looks at the memory, which that may move", async () => {
  for (const side of [1024, 2048, 3072, 4096]) {
    await useBackend("cpu");
    const x = tf.tensor2d(new Float32Array(side * side).fill(1), [side, side]);
    await useBackend("wasm");
    const turned = tf.transpose(x);
    assert.is((await turned.data())[side], 1);
    tf.dispose([x, turned]);
  }
});

test.run();
