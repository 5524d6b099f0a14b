import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assign, cholesky, eigh, lstsq, type Matrix, matrix, product, qr, solve, stableRank, svd,
  transposed } from "../../../sdk/tensor/linalg/index.js";
import { Rng } from "../../../sdk/tensor/rng.js";
import { testedBackends, useBackend } from "../../support/backends.js";

function random(rows: number, columns: number, seed = 1): Matrix {
  const rng = new Rng(seed);
  return matrix(Float64Array.from({ length: rows * columns }, () => rng.normal()), rows, columns);
}

function close(actual: Matrix, expected: Matrix, what: string, tolerance = 1e-10): void {
  assert.equal([actual.rows, actual.columns], [expected.rows, expected.columns], what);
  actual.data.forEach((value, at) =>
    assert.ok(Math.abs(value - expected.data[at]) < tolerance,
      `${what}[${at}]: ${value}, expected ${expected.data[at]}`)
  );
}

const identity = (n: number) =>
  matrix(Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0)), n, n);
const scaled = (a: Matrix, factors: Float64Array) => ({ ...a,
  data: Float64Array.from(a.data, (x, at) => x * factors[at % a.columns]) });

// on the processor: ml-matrix and the code here; with the native engine: its own
for (const backend of testedBackends.filter((name) => name !== "wasm")) {
  const test = suite(`decompositions with ${backend}`);
  test.before(() => useBackend(backend));

  test("svd gives the matrix back, with orthonormal columns and falling values, for any shape", () => {
    const side = fc.integer({ min: 1, max: 12 });
    fc.assert(fc.property(side, side, fc.integer(), (rows, columns, seed) => {
      const a = random(rows, columns, seed);
      const { u, s, v } = svd(a);
      close(product(scaled(u, s), transposed(v)), a, "U S V^T");
      close(product(transposed(u), u), identity(s.length), "U^T U");
      close(product(transposed(v), v), identity(s.length), "V^T V");
      s.forEach((value, i) => assert.ok(value >= 0 && (i === 0 || value <= s[i - 1])));
    }), { numRuns: 30, seed: 3 });
  });

  test("eigh: A V = V diag(values), smallest first, from the lower triangle", () => {
    const b = random(6, 6);
    const a = product(b, transposed(b));
    const { values, vectors } = eigh(a);
    close(product(a, vectors), scaled(vectors, values), "A V");
    close(product(transposed(vectors), vectors), identity(6), "V^T V");
    values.forEach((value, i) => assert.ok(i === 0 || value >= values[i - 1]));
    assert.equal([...eigh(matrix([[2, 99], [0, 3]])).values], [2, 3]);
  });

  test("cholesky, qr, solve and lstsq", () => {
    const b = random(6, 6);
    const a = product(b, transposed(b));
    const lower = cholesky(a);
    close(product(lower, transposed(lower)), a, "L L^T");
    assert.is(lower.data[1], 0);
    const tall = random(7, 3, 2);
    const { q, r } = qr(tall);
    close(product(q, r), tall, "Q R");
    close(product(transposed(q), q), identity(3), "Q^T Q");
    const right = random(6, 2, 3);
    close(product(a, solve(a, right)), right, "A X", 1e-8);
    const best = lstsq(tall, random(7, 2, 4));
    close(product(transposed(tall), product(tall, best)), product(transposed(tall), random(7, 2, 4)),
      "normal equations");
    // two equal columns: the smallest of all solutions shares the weight
    close(lstsq(matrix([[1, 1], [2, 2]]), matrix([[2], [4]])), matrix([[1], [1]]), "smallest norm");
  });

  test("stableRank", () => {
    assert.ok(Math.abs(stableRank(matrix([[3, 0], [0, 4]])) - 25 / 16) < 1e-12);
    assert.is(stableRank(matrix([[0, 0], [0, 0]])), 0);
  });

  test("bad input is named", () => {
    assert.throws(() => cholesky(matrix([[1, 0], [0, -1]])), /not positive definite \(pivot 1 of 2\)/);
    assert.throws(() => solve(matrix([[1, 1], [1, 1]]), matrix([[1], [1]])), /singular/);
    assert.throws(() => svd(matrix([[NaN]])), /the number at 0 is NaN/);
    assert.throws(() => assign(Float32Array.of(1, NaN, 2, 3), 2), /row 0, column 1 is NaN/);
    assert.throws(() => assign(Float32Array.of(1, 2), 2), /2 scores for 2 rows/);
  });

  test("assign is the best of all permutations", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer(), fc.boolean(), fc.boolean(),
        (n, seed, maximize, ties) => {
          const rng = new Rng(seed);
          const score = Float32Array.from({ length: n * n }, () => (ties ? rng.int(3) : rng.normal()));
          const total = (columns: ArrayLike<number>) =>
            Array.from(columns).reduce((sum, column, row) => sum + score[row * n + column], 0);
          const best = permutations(n).map(total).reduce((a, b) => (maximize ? Math.max(a, b) : Math.min(a, b)));
          assert.ok(Math.abs(total(assign(score, n, { maximize })) - best) < 1e-5);
        }),
      { numRuns: 60, seed: 4 },
    );
  });

  test.run();
}

function permutations(n: number): number[][] {
  if (n === 0) return [[]];
  return permutations(n - 1).flatMap((rest) =>
    Array.from({ length: n }, (_, at) => [...rest.slice(0, at), n - 1, ...rest.slice(at)])
  );
}
