import type { Tensor } from "@tensorflow/tfjs-core";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { stopGradient, straightThrough, tf } from "../../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../../support/backends.js";
import { gradientCheck, randomTensor, tensorClose } from "../../support/gradient-check.js";
import { noLeaks } from "../../support/tensors.js";

for (const backend of testedBackends) {
  const on = suite(`gradients on ${backend}`);
  const test = (name: string, run: () => Promise<void>) =>
    on(name, () =>
      noLeaks(async () => {
        tf.engine().startScope();
        try {
          await run();
        } finally {
          tf.engine().endScope();
        }
      }));
  on.before(() => useBackend(backend));

  test("matMul, transposed, batched and broadcast", async () => {
    for (const [batchA, batchB] of [[[], []], [[3], [3]], [[3], []], [[], [3]], [[3], [1]], [[1], [3]], [[2, 1], [1,
      3]], [[2, 3], [3]]]) {
      for (const transposeA of [false, true])
        for (const transposeB of [false, true]) {
          const a = randomTensor([...batchA, ...(transposeA ? [4, 2] : [2, 4])]);
          const b = randomTensor([...batchB, ...(transposeB ? [5, 4] : [4, 5])], 2);
          const by = (
            x: Tensor,
            transpose: boolean,
          ) => (transpose
            ? tf.transpose(x, [...x.shape.keys()].map((axis) => (axis < x.rank - 2 ? axis : 2 * x.rank - 3 - axis)))
            : x);
          const [plainA, plainB] = [by(a, transposeA), by(b, transposeB)];
          const expected = tf.sum(tf.mul(tf.expandDims(plainA, -1), tf.expandDims(plainB, -3)), -2);
          const got = tf.matMul(a, b, transposeA, transposeB);
          assert.equal(got.shape, expected.shape);
          tensorClose(got, expected, 1e-5, `[${a.shape}] [${b.shape}]`);
          await gradientCheck((a, b) => tf.matMul(a, b, transposeA, transposeB), [a, b]);
        }
    }
  });

  test("einsum", async () => {
    for (const [equation, shapeA, shapeB] of [["ij,jk->ik", [2, 3], [3, 4]], ["bhtd,bhsd->bhts", [2, 2, 3, 4], [2, 2, 5,
      4]], ["nd,efd->nef", [3, 2], [2, 4, 2]], ["nef,edf->nd", [3, 2, 4], [2, 5, 4]], ["i,j->ij", [3], [2]], ["ij,ij->",
      [2, 3], [2, 3]], ["ijk,k->ji", [2, 3, 4], [4]], ["ij,k->k", [2, 3], [4]]] as [string, number[], number[]][]) {
      const [a, b] = [randomTensor(shapeA), randomTensor(shapeB, 2)];
      tensorClose(tf.einsum(equation, a, b), einsumByLoops(equation, a, b), 1e-4, equation);
      await gradientCheck((a, b) => tf.einsum(equation, a, b), [a, b]);
    }
    await gradientCheck((a) => tf.einsum("ijk->ki", a), [randomTensor([2, 3, 4])]);
  });

  test("sums, means and repetitions over any axes, and their second gradients", async () => {
    for (const axis of [undefined, 0, -1, [0, 2], [1]])
      for (const keep of [false, true]) {
        await gradientCheck((x) => tf.square(tf.sum(x, axis, keep)), [randomTensor([2, 3, 4])]);
        await gradientCheck((x) => tf.square(tf.mean(x, axis, keep)), [randomTensor([2, 3, 4])]);
        await gradientCheck((x) => tf.grad((x: Tensor) => tf.square(tf.sum(tf.square(x), axis, keep)))(x), [
          randomTensor([2, 3, 4], 1, 0.5),
        ]);
      }
    for (const [shape, reps] of [[[1, 3], [4, 1]], [[2, 3], [2, 2]], [[2, 1, 3], [3, 4, 1]], [[3], [1]]] as [number[],
      number[]][]) await gradientCheck((x) => tf.square(tf.tile(x, reps)), [randomTensor(shape)]);
    await gradientCheck((x) => tf.square(tf.sum(x)), [randomTensor([])]);
  });

  test("sigmoid and softmax", async () => {
    for (const shape of [[2, 3, 4], [5]])
      for (const f of [tf.sigmoid, tf.softmax] as ((x: Tensor) => Tensor)[])
        await gradientCheck((x) => tf.square(f(x)), [randomTensor(shape)]);
  });

  test("split and unstack, into one part as well", async () => {
    for (const parts of [1, 3]) {
      await gradientCheck((x) => tf.concat(tf.split(x, parts, 1).map((part, i) => tf.mul(part, i + 1)), 0), [
        randomTensor([2, 3]),
      ]);
      await gradientCheck((x) => tf.addN(tf.unstack(x).map((part, i) => tf.mul(part, i + 1))), [
        randomTensor([parts, 3]),
      ]);
    }
  });

  test("gather, gatherND, scatterND, stridedSlice and segment sums", async () => {
    const rows = tf.tensor1d([2, 0, 2, 1], "int32");
    for (const axis of [0, 1]) await gradientCheck((x) => tf.gather(x, rows, axis), [randomTensor([3, 4, 2])]);
    const places = tf.tensor2d([[0, 1], [2, 0], [0, 1]], [3, 2], "int32");
    await gradientCheck((x) => tf.gatherND(x, places), [randomTensor([3, 2])]);
    await gradientCheck((x) => tf.scatterND(places, x, [3, 2]), [randomTensor([3])]);
    await gradientCheck((x) => tf.stridedSlice(x, [1, 0], [5, 4], [2, 3]), [randomTensor([5, 4])]);
    await gradientCheck((x) => tf.unsortedSegmentSum(x, rows, 4), [randomTensor([4, 2])]);
    assert.equal([...tf.unsortedSegmentSum(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor1d([1, 1], "int32"), 3).dataSync()],
      [0, 0, 4, 6, 0, 0]);
  });

  test("cumulative sums and products, zeros included", async () => {
    for (const axis of [0, 1])
      for (const exclusive of [false, true])
        for (const reverse of [false, true]) {
          await gradientCheck((x) => tf.cumsum(x, axis, exclusive, reverse), [randomTensor([3, 4])]);
          const x = tf.tensor2d([[1, 0, 2, 3], [0.5, 1, 0, -1], [2, 0, 0, 1]]);
          await gradientCheck((x) => tf.cumprod(x, axis, exclusive, reverse), [x]);
        }
  });

  test("topk of the last axis of any rank", async () => {
    await gradientCheck((x) => tf.topk(x, 2).values, [tf.tensor3d([[[1, 3, 5, 2], [8, -5, 2, 0]]])]);
  });

  test("a choice passes no gradient, a straight-through one passes the soft one's", async () => {
    const x = tf.tensor2d([[1, 3, 2]]);
    const soft = (x: Tensor) => tf.softmax(x);
    const hard = (x: Tensor) => tf.cast(tf.equal(soft(x), tf.max(soft(x), -1, true)), "float32");
    const weights = tf.tensor2d([[1, -2, 5]]);
    const gradient = (f: (x: Tensor) => Tensor) => tf.grad((x: Tensor) => tf.sum(tf.mul(f(x), weights)))(x);
    tensorClose(straightThrough(hard(x), soft(x)), [0, 1, 0], 0);
    tensorClose(gradient((x) => straightThrough(hard(x), soft(x))), gradient(soft).dataSync() as Float32Array, 1e-6);
    tensorClose(gradient((x) => tf.add(hard(x), tf.mul(x, 0))), [0, 0, 0], 0);
    tensorClose(gradient((x) => tf.mul(stopGradient(x), x)), [1, -6, 10], 1e-6);
  });

  on.run();
}

function einsumByLoops(equation: string, a: Tensor, b: Tensor): Float32Array {
  const [left, output] = equation.split("->");
  const [termA, termB] = left.split(",");
  const letters = [...new Set(termA + termB)];
  const length =
    (letter: string) => (termA.includes(letter) ? a.shape[termA.indexOf(letter)] : b.shape[termB.indexOf(letter)]);
  const at = (term: string, index: Record<string, number>) =>
    [...term].reduce((place, letter) => place * length(letter) + index[letter], 0);
  const [A, B] = [a.dataSync(), b.dataSync()];
  const out = new Float32Array([...output].reduce((size, letter) => size * length(letter), 1));
  const visit = (depth: number, index: Record<string, number>) => {
    if (depth === letters.length) {
      out[at(output, index)] += A[at(termA, index)] * B[at(termB, index)];
      return;
    }
    for (let i = 0; i < length(letters[depth]); i++) visit(depth + 1, { ...index, [letters[depth]]: i });
  };
  visit(0, {});
  return out;
}
