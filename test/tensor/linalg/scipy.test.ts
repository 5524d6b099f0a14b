import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assign, assignApproximate, cka, clusters, distances, linkage, type LinkageMethod, matrix,
  type Metric } from "../../../sdk/tensor/linalg/index.js";
import { testedBackends, useBackend } from "../../support/backends.js";
import { shared } from "../../support/shared.js";

interface Oracle {
  assignment: Record<string, { cost: number[][]; maximize: boolean; rows: number[]; total: number }>;
  assignment_large: Record<string, { seed: number; total: number }>;
  linkage: Record<string,
    { points: number[][] } & Record<string,
      { linkage: number[][]; labels_by_count: Record<string, number[]>; labels_by_distance_median: number[] }>>;
  cka: Record<string,
    { X: number[][]; Y: number[][]; linear: number; rbf_half_median_of_squared_distances_all_pairs: number;
      unbiased_linear: number }>;
}

const path = shared("fixtures/oracles/scipy/scipy.json");
for (const backend of path ? testedBackends.filter((name) => name !== "wasm") : []) {
  const test = suite(`SciPy's values with ${backend}`);
  test.before(() => useBackend(backend));
  const oracle = JSON.parse(readFileSync(path!, "utf8")) as Oracle;

  test("assign finds SciPy's totals", () => {
    for (const [name, { cost, maximize, rows, total }] of Object.entries(oracle.assignment)) {
      const { data, rows: n, columns } = matrix(cost);
      const found = assign(data, n, { maximize, columns });
      assertTotal(found, data, columns, total, name);
      assert.is(found.filter((column) => column >= 0).length, rows.length, name);
    }
    for (const [name, { seed, total }] of Object.entries(oracle.assignment_large)) {
      const [, n, m] = name.match(/^(\d+)x(\d+)/)!.map(Number);
      const data = generated(n * m, seed).map((x) => (name.includes("floor") ? Math.floor(8 * x) : x));
      assertTotal(assign(data, n, { maximize: name.endsWith("_max"), columns: m }), data, m, total, name);
    }
  });

  test("assignApproximate stays within its bound of SciPy's totals", () => {
    for (const [name, { seed, total }] of Object.entries(oracle.assignment_large)) {
      const [, n, m] = name.match(/^(\d+)x(\d+)/)!.map(Number);
      if (n !== m) continue;
      const score = Float32Array.from(generated(n * n, seed), (x) => (name.includes("floor") ? Math.floor(8 * x) : x));
      for (const tolerance of [0.01, 1e-4]) {
        const { columns, gap } = assignApproximate(score, n, { maximize: name.endsWith("_max"), tolerance });
        assert.is(new Set(columns).size, n);
        const sum = columns.reduce((all, column, row) => all + score[row * n + column], 0);
        const range = Math.max(...score) - Math.min(...score);
        const rounding = n * 1e-6;
        assert.ok(Math.abs(sum - total) <= gap + rounding, `${name}: ${sum}, best ${total}, gap ${gap}`);
        assert.ok(gap <= n * tolerance * range + rounding,
          `${name}: gap ${gap} above the promised ${n * tolerance * range}`);
      }
    }
  });

  for (const [name, cases] of Object.entries(oracle.linkage)) {
    const { points, ...kinds } = cases;
    test(`clustering of ${name}`, () => {
      for (const [kind, expected] of Object.entries(kinds)) {
        const [metric, method] = kind.split("/") as [Metric, LinkageMethod];
        if (["centroid", "median"].includes(method)) continue; // their heights may fall; not offered
        const tree = linkage(distances(matrix(points), metric), method);
        expected.linkage.forEach(([a, b, height, size], i) => {
          assert.equal([tree[i].a, tree[i].b, tree[i].size], [a, b, size], `${kind}, merge ${i}`);
          assert.ok(Math.abs(tree[i].height - height) < 1e-9,
            `${kind}, merge ${i}: height ${tree[i].height}, expected ${height}`);
        });
        for (const [count, labels] of Object.entries(expected.labels_by_count))
          assert.equal([...clusters(tree, { count: Number(count) })], labels, `${kind}, ${count} clusters`);
        const heights = tree.map(({ height }) => height);
        const median = (heights[(heights.length - 1) >> 1] + heights[heights.length >> 1]) / 2;
        assert.equal([...clusters(tree, { height: median + 1e-12 })], expected.labels_by_distance_median, kind);
      }
    });
  }

  test("cka", () => {
    for (const [name, { X, Y, ...expected }] of Object.entries(oracle.cka)) {
      const [x, y] = [matrix(X), matrix(Y)];
      const close = (got: number, value: number) =>
        assert.ok(Math.abs(got - value) < 1e-10, `${name}: ${got}, expected ${value}`);
      close(cka(x, y), expected.linear);
      close(cka(x, y, { kernel: "rbf" }), expected.rbf_half_median_of_squared_distances_all_pairs);
      close(cka(x, y, { unbiased: true }), expected.unbiased_linear);
    }
  });

  test.run();
}

function assertTotal(
  found: Int32Array,
  score: Float64Array | Float32Array,
  columns: number,
  total: number,
  name: string,
): void {
  const chosen = [...found].filter((column) => column >= 0);
  assert.is(new Set(chosen).size, chosen.length, `${name}: a column twice`);
  const sum = found.reduce((all, column, row) => all + (column >= 0 ? score[row * columns + column] : 0), 0);
  assert.ok(Math.abs(sum - total) <= 1e-12 * Math.max(1, Math.abs(total)) * score.length,
    `${name}: ${sum}, expected ${total}`);
}

/** the generator that the fixture names */
function generated(count: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length: count }, () => (state = (Math.imul(1664525, state) + 1013904223) >>> 0) / 2 ** 32);
}
