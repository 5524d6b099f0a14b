import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assign, assignApproximate, cholesky, cka, clusters, distances, eigh, linkage, lstsq, type Matrix, matrix,
  product, qr, solve, svd, transposed } from "../../../sdk/tensor/linalg/index.js";
import { testedBackends, useBackend } from "../../support/backends.js";
import { close } from "../../support/close.js";

const filled = (rows: number, columns: number, value: (at: number) => number = (at) => Math.sin(at + 1)) =>
  matrix(Float64Array.from({ length: rows * columns }, (_, at) => value(at)), rows, columns);
const shape = ({ rows, columns }: Matrix) => [rows, columns];
const same = (seen: Matrix, expected: Matrix, what: string) => {
  assert.equal(shape(seen), shape(expected), what);
  close(seen.data, expected.data, 1e-10, what);
};

for (const backend of testedBackends) {
  const test = suite(`edge cases of linear algebra with ${backend}`);
  test.before(() => useBackend(backend));

  test("empty matrices have empty decompositions, as in NumPy", () => {
    for (const [rows, columns] of [[0, 0], [0, 3], [3, 0]]) {
      const { u, s, v } = svd(filled(rows, columns));
      assert.equal([shape(u), s.length, shape(v)], [[rows, 0], 0, [columns, 0]]);
      assert.equal(shape(lstsq(filled(rows, columns), filled(rows, 2))), [columns, 2]);
    }
    assert.equal(shape(eigh(filled(0, 0)).vectors), [0, 0]);
    assert.equal(shape(cholesky(filled(0, 0))), [0, 0]);
    for (const rows of [0, 3])
      assert.equal([shape(qr(filled(rows, 0)).q), shape(qr(filled(rows, 0)).r)], [[rows, 0], [0, 0]]);
    assert.equal(shape(solve(filled(0, 0), filled(0, 2))), [0, 2]);
    assert.equal([shape(solve(filled(2, 2), filled(2, 0))), shape(lstsq(filled(3, 2), filled(3, 0)))], [[2, 0], [2,
      0]]);
    assert.equal([...lstsq(filled(0, 2), filled(0, 1)).data], [0, 0]);
  });

  test("single numbers", () => {
    const [four, two] = [matrix([[4]]), matrix([[2]])];
    assert.equal([svd(matrix([[-4]])).s[0], eigh(matrix([[-4]])).values[0], cholesky(four).data[0],
      solve(four, two).data[0]], [4, -4, 2, 0.5]);
    close(lstsq(four, two).data, [0.5], 1e-15);
    close([Math.abs(qr(four).r.data[0])], [4], 1e-15);
  });

  test("rank-deficient and zero matrices: factors give the matrix back, with orthonormal columns", () => {
    for (const a of [filled(4, 3, () => 1), filled(4, 3, () => 0), filled(3, 3, (at) => Math.floor(at / 3) + 1),
      filled(3, 2, (at) => at % 2)]) {
      const { u, s, v } = svd(a);
      const scaled = { ...u, data: Float64Array.from(u.data, (x, at) => x * s[at % u.columns]) };
      same(product(scaled, transposed(v)), a, "U S V^T");
      const { q, r } = qr(a);
      same(product(q, r), a, "Q R");
      const identity = filled(a.columns, a.columns, (at) => (at % (a.columns + 1) === 0 ? 1 : 0));
      for (const [name, factor] of [["U", u], ["V", v], ["Q", q]] as const)
        same(product(transposed(factor), factor), identity, `${name}^T ${name}`);
    }
    same(lstsq(filled(3, 2, () => 0), filled(3, 1)), filled(2, 1, () => 0), "least squares of zeros");
    same(lstsq(matrix([[1, 1], [1, 1], [2, 2]]), matrix([[2], [2], [4]])), matrix([[1], [1]]), "smallest norm");
    same(product(filled(2, 4), lstsq(filled(2, 4), filled(2, 1))), filled(2, 1), "wide systems are met exactly");
    close(eigh(filled(3, 3, () => 1)).values, [0, 0, 3], 1e-12);
    assert.throws(() => cholesky(filled(2, 2, () => 1)), (error: { code: string }) =>
      error.code === "not-positive-definite");
    assert.throws(() => solve(filled(2, 2, () => 1), filled(2, 1)), (error: { code: string }) =>
      error.code === "singular-matrix");
  });

  test("what is not finite is named everywhere, wherever it stands", () => {
    for (const bad of [NaN, Infinity, -Infinity])
      for (const place of [0, 2, 3]) {
        const a = filled(2, 2, (at) => (at === place ? bad : at + 1));
        const fine = filled(2, 2);
        const runs: Record<string, () => unknown> = {
          svd: () => svd(a),
          eigh: () => eigh(a),
          cholesky: () => cholesky(a),
          qr: () => qr(a),
          "solve A": () => solve(a, fine),
          "solve B": () => solve(fine, a),
          "lstsq A": () => lstsq(a, fine),
          "lstsq B": () => lstsq(fine, a),
          distances: () => distances(a),
          linkage: () => linkage(a, "average"),
          cka: () => cka(fine, a),
          assign: () => assign(a.data, 2),
          assignApproximate: () => assignApproximate(Float32Array.from(a.data), 2),
        };
        for (const [name, run] of Object.entries(runs))
          assert.throws(run, (error: { code: string }) => error.code === "not-finite", `${name} of ${bad} at ${place}`);
      }
  });

  test("shapes that do not fit are named", () => {
    for (const run of [() => cholesky(filled(2, 3)), () => eigh(filled(3, 2)), () => qr(filled(2, 3)), () =>
      solve(filled(2, 3), filled(2, 1)), () => solve(filled(2, 2), filled(3, 1)), () =>
      lstsq(filled(2, 2), filled(3, 1)), () => linkage(filled(2, 3), "single")]) {
      assert.throws(run, (error: { code: string }) => error.code === "matrix-shape");
    }
  });

  test("assignment of nothing, of one, of unequal sides, of ties and of very large numbers", () => {
    assert.equal([...assign(new Float32Array(0), 0)], []);
    assert.equal([...assign(new Float32Array(0), 0, { columns: 3 })], []);
    assert.equal([...assign(new Float32Array(0), 3, { columns: 0 })], [-1, -1, -1]);
    assert.equal([...assign(Float32Array.of(5, 1, 3), 1, { columns: 3 })], [1]);
    assert.equal([...assign(Float32Array.of(5, 1, 3), 3, { columns: 1 })], [-1, 0, -1]);
    assert.equal([...assign(Float32Array.of(5, 1, 3), 3, { columns: 1, maximize: true })], [0, -1, -1]);
    assert.equal([...assign(new Float32Array(25), 5)].sort(), [0, 1, 2, 3, 4]);
    assert.equal([...assign(Float64Array.of(1e308, -1e308, -1e308, 1e308), 2)], [1, 0]);
  });

  test("trees of nothing and of one", () => {
    for (const method of ["single", "average", "ward"] as const)
      assert.equal([linkage(filled(0, 0), method), linkage(filled(1, 1, () => 0), method)], [[], []]);
    assert.equal([...clusters([], { count: 1 })], [0]);
    assert.equal(shape(distances(filled(0, 2))), [0, 0]);
  });

  test.run();
}

const approximate = suite("edge cases of the approximate assignment");

approximate("equal scores, one row, no row and a tolerance below rounding all end", () => {
  for (const [score, n] of [[new Float32Array(9), 3], [new Float32Array(100).fill(-7.5), 10], [Float32Array.of(3), 1], [
    new Float32Array(0),
    0,
  ]] as const) {
    const { columns, gap } = assignApproximate(score, n);
    assert.is(new Set(columns).size, n);
    assert.is(gap, 0);
  }
  // 2^24 and its neighbour: prices must rise by more than what float64 drops beside them
  for (const tolerance of [1e-3, 1e-12, 1e-300]) {
    const score = Float32Array.from({ length: 64 }, (_, at) => 2 ** 24 + 2 * ((at * 5) % 3));
    const { columns, gap } = assignApproximate(score, 8, { tolerance, maximize: true });
    const total = columns.reduce((sum, column, row) => sum + score[8 * row + column], 0);
    const best = assign(score, 8, { maximize: true }).reduce((sum, column, row) => sum + score[8 * row + column], 0);
    assert.ok(best - total <= gap + 1e-6 && gap <= 8 * Math.max(tolerance, 2 ** -26) * 4 + 1e-6,
      `${best} - ${total}, gap ${gap}`);
  }
});

approximate.run();
