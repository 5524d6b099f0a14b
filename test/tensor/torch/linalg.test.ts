import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decode } from "../../../sdk/tensor/formats/index.js";
import { assign, cholesky, eigh, lstsq, type Matrix, matrix, product, qr, solve, svd,
  transposed } from "../../../sdk/tensor/linalg/index.js";
import { setNativeLinalg } from "../../../sdk/tensor/linalg/native.js";
import { Rng } from "../../../sdk/tensor/rng.js";
import { registerTorch } from "../../../sdk/tensor/torch/register.js";
import { close } from "../../support/close.js";

const registration = await registerTorch();
if (!registration.ok) console.log(`skip: torch engine: ${registration.reason}`);
const onTorch = (
  name: string,
  run: (engine: Extract<typeof registration, { ok: true }>) => void,
) => (registration.ok
  ? test(name, () => {
    setNativeLinalg(registration.linalg);
    run(registration);
  })
  : test.skip(name, () => {}));

function random(rows: number, columns: number, seed: number): Matrix {
  const rng = new Rng(seed);
  return matrix(Float64Array.from({ length: rows * columns }, () => rng.normal()), rows, columns);
}
const scaled = (a: Matrix, factors: Float64Array) => ({ ...a,
  data: Float64Array.from(a.data, (x, at) => x * factors[at % a.columns]) });
/** float64 results of a few dozen sums: rounding is some 1e-14, wrong results are off by far more */
const same = (seen: Matrix, expected: Matrix, what: string) => {
  assert.equal([seen.rows, seen.columns], [expected.rows, expected.columns], what);
  close(seen.data, expected.data, 1e-9, what);
};

const side = fc.integer({ min: 1, max: 20 });
onTorch("decompositions give the matrix back, for any shape", () => {
  fc.assert(fc.property(side, side, fc.integer({ min: 1, max: 1e6 }), (rows, columns, seed) => {
    const a = random(rows, columns, seed);
    const { u, s, v } = svd(a);
    same(product(scaled(u, s), transposed(v)), a, "U S V^T");
    s.forEach((value, i) => assert.ok(value >= 0 && (i === 0 || value <= s[i - 1]), "singular values fall"));
    const gram = product(a, transposed(a));
    for (let i = 0; i < rows; i++) gram.data[i * (rows + 1)] += 1;
    const { values, vectors } = eigh(gram);
    same(product(scaled(vectors, values), transposed(vectors)), gram, "V diag(values) V^T");
    const lower = cholesky(gram);
    same(product(lower, transposed(lower)), gram, "L L^T");
    const b = random(rows, 3, seed + 1);
    same(product(gram, solve(gram, b)), b, "A X");
    if (rows >= columns) {
      const { q, r } = qr(a);
      same(product(q, r), a, "Q R");
    }
    const found = lstsq(a, b);
    setNativeLinalg({});
    same(found, lstsq(a, b), "least squares as without the engine");
    if (registration.ok) setNativeLinalg(registration.linalg);
  }), { numRuns: 40, seed: 5 });
});

onTorch("a rank-deficient system has the solution of smallest norm, a singular one is an error", () => {
  const a = matrix([[1, 1], [1, 1], [2, 2]]);
  same(lstsq(a, matrix([[2], [2], [4]])), matrix([[1], [1]]), "X");
  assert.throws(() => solve(matrix([[1, 2], [2, 4]]), matrix([[1], [1]])),
    (error: { code: string }) => error.code === "singular-matrix");
  assert.throws(() => cholesky(matrix([[1, 2], [2, 1]])),
    (error: { code: string }) => error.code === "not-positive-definite");
});

onTorch("assignment costs as much as without the engine, with ties, for more columns than rows, both ways", () => {
  const setting = fc.record({ rows: fc.integer({ min: 1, max: 30 }), more: fc.integer({ min: 0, max: 6 }),
    maximize: fc.boolean(), whole: fc.boolean(), seed: fc.integer({ min: 1, max: 1e6 }) });
  fc.assert(fc.property(setting, ({ rows, more, maximize, whole, seed }) => {
    const columns = rows + more;
    const score = Float64Array.from(random(rows, columns, seed).data, (x) => (whole ? Math.round(x) : x));
    const total = (columnOf: Int32Array) =>
      columnOf.reduce((sum, column, row) => sum + score[row * columns + column], 0);
    const seen = assign(score, rows, { maximize, columns });
    assert.is(new Set(seen).size, rows, "a column is taken twice");
    setNativeLinalg({});
    const expected = assign(score, rows, { maximize, columns });
    if (registration.ok) setNativeLinalg(registration.linalg);
    assert.ok(Math.abs(total(seen) - total(expected)) < 1e-9, `costs ${total(seen)}, expected ${total(expected)}`);
  }), { numRuns: 200, seed: 6 });
});

onTorch("assignment is right around the ends of blocks and vectors, of float32 scores too", () => {
  for (const columns of [7, 8, 9, 127, 128, 129, 257])
    for (const whole of [false, true])
      for (const rows of [columns, columns - 3]) {
        const score = Float32Array.from(random(rows, columns, columns).data, (x) => (whole ? Math.round(3 * x) : x));
        const total = (columnOf: Int32Array) =>
          columnOf.reduce((sum, column, row) => sum + score[row * columns + column], 0);
        const [seen, wide] = [assign(score, rows, { columns }), assign(Float64Array.from(score), rows, { columns })];
        assert.equal([...seen], [...wide], "float32 and float64 scores give one assignment");
        assert.is(new Set(seen).size, rows, "a column is taken twice");
        setNativeLinalg({});
        const expected = assign(score, rows, { columns });
        if (registration.ok) setNativeLinalg(registration.linalg);
        assert.ok(Math.abs(total(seen) - total(expected)) < 1e-9,
          `${rows} x ${columns}: costs ${total(seen)}, expected ${total(expected)}`);
      }
});

onTorch("every code of the short formats becomes the float32 that JavaScript decodes, from any offset",
  ({ toFloat32 }) => {
    const codes16 = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, code) => code).buffer);
    const codes8 = Uint8Array.from({ length: 256 }, (_, code) => code);
    const formats = [["BF16", "bfloat16", codes16], ["F16", "float16", codes16], ["F8_E4M3", "float8_e4m3fn", codes8], [
      "F8_E5M2",
      "float8_e5m2",
      codes8,
    ], ["I8", "int8", codes8], ["F64", "float64",
      new Uint8Array(Float64Array.of(0.1, -1e300, 2 ** -140, NaN).buffer)]] as const;
    for (const [name, dtype, bytes] of formats) {
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      for (const from of [bytes, shifted.subarray(1)]) {
        const [seen, expected] = [toFloat32(from, dtype), decode(from, name)];
        const bits = (
          x: Float32Array,
          i: number,
        ) => (Number.isNaN(x[i]) ? "NaN" : new DataView(x.buffer, x.byteOffset).getUint32(4 * i));
        for (let i = 0; i < expected.length; i++)
          assert.is(bits(seen, i), bits(expected, i), `${name} code ${i}: ${seen[i]}, expected ${expected[i]}`);
      }
    }
  });

test.run();
