import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../../sdk/errors.js";
import { packBits, unpackBits } from "../../../sdk/tensor/formats/bits.js";
import { codecOf, packedBytes, roundTo } from "../../../sdk/tensor/formats/codecs.js";
import { dtypeSizeBytes } from "../../../sdk/tensor/formats/dtype-size.js";
import { nearestGrouped, packGrouped, unpackGrouped } from "../../../sdk/tensor/formats/grouped.js";
import type { GroupedFormat, NumberFormat, Parts } from "../../../sdk/tensor/formats/number-format.js";

const test = suite("codecs");

/** Numbers from -1 to 1 that a seed decides. */
function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const sizesOf = (parts: Parts<Uint8Array>) => Object.fromEntries(Object.entries(parts).map(([k, v]) => [k, v.length]));
const thrown = (work: () => unknown): MoeError => {
  try {
    work();
  } catch (error) {
    return error as MoeError;
  }
  throw new Error("nothing was thrown");
};

test("runs of bits: as numpy packs them, and back, for every width", () => {
  assert.equal([...packBits(Uint8Array.of(1, 2, 3), 4, 3)], [0x21, 0x03]);
  assert.equal([...packBits(Uint8Array.of(5, 1, 7), 3, 3)], [0b11001101, 0b1]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 19 }),
      fc.array(fc.nat(255), { minLength: 1, maxLength: 60 }), (bits, columns, bytes) => {
      const numbers = Uint8Array.from({ length: columns * Math.ceil(bytes.length / columns) }, (_, at) =>
        bytes[at % bytes.length] & (2 ** bits - 1));
      assert.equal(unpackBits(packBits(numbers, bits, columns), bits, columns), numbers);
    }),
  );
});

/** Every setting of grouped integers. */
const groupedFormats = fc.record({
  kind: fc.constant("grouped" as const),
  bits: fc.integer({ min: 1, max: 8 }),
  group: fc.constantFrom(0, 4, 8),
  zero: fc.constantFrom("none", "integer", "real"),
  scales: fc.constantFrom("F16", "BF16", "F32"),
}) as fc.Arbitrary<GroupedFormat>;

test("grouped: parts come back bit by bit, are as large as said, and no number is further off than a step and rounding", () => {
  fc.assert(
    fc.property(groupedFormats, fc.integer({ min: 1, max: 5 }), fc.nat(), fc.boolean(),
      (format, rows, seed, ordered) => {
        const shape = [rows, 24], values = noise(rows * 24, seed + 1);
        const own: GroupedFormat = ordered ? { ...format, order: true } : format;
        const groups = format.group ? 24 / format.group : 1;
        const order = Int32Array.from({ length: 24 }, (_, at) => (at * 7 + seed) % groups);
        const found = nearestGrouped(values, shape, own, ordered ? order : undefined);
        const parts = packGrouped(found, shape, own);
        const again = unpackGrouped(parts, shape, own);
        assert.equal(packGrouped(again, shape, own), parts);
        assert.is(Object.values(parts).reduce((sum, { length }) => sum + length, 0), packedBytes(own, shape));
        const restored = codecOf(own).decode(parts, shape, own);
        if (own.bits > 1 || own.zero !== "none") {
          restored.forEach((value, at) => {
            const place = Math.floor(at / 24) * groups
              + (ordered ? order[at % 24] : Math.floor(at % 24 / (24 / groups)));
            // half a step, half of one for the zero, and what rounding scale and fractional zero does to the largest code
            const rounding = { F16: 2 ** -11, BF16: 2 ** -8, F32: 2 ** -23 }[own.scales]
              * (own.zero === "real" ? 2 : 1);
            const step = again.scales[place] * (1.05 + 2 ** own.bits * rounding);
            assert.ok(Math.abs(value - values[at]) <= step, `${at}: ${value} for ${values[at]}, step ${step}`);
          });
        }
        const last = codecOf(own).decode(parts, shape, own, { start: rows - 1, end: rows });
        assert.equal(last, restored.subarray((rows - 1) * 24));
      }),
  );
});

test("grouped: by hand", () => {
  const format = { kind: "grouped", bits: 4, group: 2, zero: "none", scales: "F32" } as const;
  // extents 1.5 and 0: scales 0.2 and 0
  const parts = codecOf(format).encode(Float32Array.of(1.5, -0.5, 0, 0), [1, 4], format);
  assert.equal([...parts.codes], [15 | ((8 - 2) << 4), 8 | (8 << 4)]);
  assert.equal([...codecOf(format).decode(parts, [1, 4], format)].map((x) => Math.round(1e4 * x) / 1e4), [1.4, -0.4, 0,
    0]);
  const sign = { ...format, bits: 1, group: 0 } as const;
  assert.equal([...roundTo(Float32Array.of(1, -2, 3, -2), [1, 4], sign)], [2, -2, 2, -2]);
  const asymmetric = { ...format, bits: 2, group: 0, zero: "integer" } as const;
  assert.equal([...roundTo(Float32Array.of(-1, 0, 1, 2), [1, 4], asymmetric)], [-1, 0, 1, 2]);
  const three = { ...format, bits: 4, group: 4, scales: "F16" } as const;
  assert.is(packedBytes(three, [6, 2, 8]), 12 * (4 + 4));
});

test("sparse: what is not zero is exact, of any pattern, in any range of rows", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 21 }), fc.nat(), (rows, columns, seed) => {
      const values = noise(rows * columns, seed + 1).map((x) => (x > 0.2 ? x : 0));
      const format: NumberFormat = { kind: "sparse", values: "F32" };
      const codec = codecOf(format), parts = codec.encode(values, [rows, columns], format);
      const settled = codec.settled!(format, parts);
      assert.equal(codec.decode(parts, [rows, columns], settled), values);
      assert.equal(sizesOf(parts),
        Object.fromEntries(
          Object.entries(codec.parts(settled, [rows, columns])).map(([part, p]) => [part, p.shape.reduce((a, b) =>
            a * b, dtypeSizeBytes[p.dtype]!)]
          ),
        ));
      assert.equal(codec.decode(parts, [rows, columns], settled, { start: rows - 1, end: rows }),
        values.subarray((rows - 1) * columns));
    }),
  );
});

test("sparse 2:4: two numbers of four, zeros among them keep their place", () => {
  const format = { kind: "sparse", of: [2, 4], values: "F32" } as const;
  const values = Float32Array.of(0, 3, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 1, 2, 0, 0);
  const parts = codecOf(format).encode(values, [2, 8], format);
  assert.equal([...parts.mask], [0b10011010, 0b00110011]);
  assert.is(parts.values.length, 4 * 8);
  assert.equal(codecOf(format).decode(parts, [2, 8], format), values);
  assert.equal(codecOf(format).decode(parts, [2, 8], format, { start: 1, end: 2 }), values.subarray(8));
  assert.match(thrown(() => codecOf(format).encode(Float32Array.of(1, 1, 1, 0), [1, 4], format)).message,
    /3 of 4 numbers in a row are not zero; accepted is at most 2/);
});

test("what a format cannot be, cannot hold, or has not written is one clear error", () => {
  const format = { kind: "grouped", bits: 4, group: 3, zero: "integer", scales: "F16" } as const;
  const at = (change: object, values = noise(16)) =>
    thrown(() => {
      const own = { ...format, group: 4, ...change } as GroupedFormat;
      codecOf(own).encode(values, [2, 8], own);
    });
  assert.match(at({ group: 3 }).message, /group is 3 of 8 inputs; accepted is a divisor of 8/);
  assert.match(at({ bits: 9 }).message, /bits are 9; accepted is 1 to 8/);
  assert.match(at({ bits: 0 }).message, /bits are 0/);
  assert.match(at({ kind: "gruoped" }).message, /Did you mean "grouped"/);
  assert.match(at({}, noise(16).fill(NaN, 3, 4)).message, /number 3 is NaN; accepted is finite numbers/);
  assert.match(at({}, noise(16).fill(3e38, 3, 4)).message, /which F16 cannot hold/);
  const own = { ...format, group: 4, order: true } as const;
  const parts = codecOf(own).encode(noise(16), [2, 8], own);
  const broken = (change: Parts<Uint8Array>) =>
    thrown(() => codecOf(own).decode({ ...parts, ...change }, [2, 8], own)).message;
  assert.match(broken({ codes: parts.codes.subarray(1) }), /"codes" has 7 bytes; accepted is 8/);
  assert.match(broken({ scales: parts.scales.slice().fill(0xff, 0, 2) }), /scale 0 is NaN/);
  assert.match(broken({ order: new Uint8Array(Int32Array.of(0, 0, 0, 0, 1, 1, 1, 2).buffer) }),
    /input 7 is of group 2/);
  const rare = { kind: "sparse", of: [2, 4], values: "F16" } as const;
  const held = codecOf(rare).encode(noise(8).map((x, i) => (i % 4 < 2 ? x : 0)), [1, 8], rare);
  assert.match(thrown(() => codecOf(rare).decode({ ...held, mask: Uint8Array.of(0xff) }, [1, 8], rare)).message,
    /marks 4 of 4 inputs/);
});

/** Parts of a codec come back as they are, are as large as said, and rows are rows of the whole. */
function holds(format: NumberFormat, shape: number[], values: Float32Array, exact: boolean): Float32Array {
  const codec = codecOf(format), parts = codec.encode(values, shape, format);
  const own = codec.settled?.(format, parts) ?? format;
  assert.equal(sizesOf(parts),
    Object.fromEntries(
      Object.entries(codec.parts(own, shape)).map(([part, { dtype, shape: lengths }]) => [part, lengths.reduce((a, b) =>
        a * b, dtypeSizeBytes[dtype]!)]
      ),
    ), format.kind);
  const restored = codec.decode(parts, shape, own);
  if (exact) assert.equal(restored, values, format.kind);
  const width = values.length / shape[0];
  assert.equal(codec.decode(parts, shape, own, { start: 1, end: 2 }), restored.slice(width, 2 * width), format.kind);
  return restored;
}

test("nf4, fp4, mxfp4, nvfp4 and scaled fp8: numbers of the format are exact, others near", () => {
  const values = noise(3 * 64, 5);
  for (const format of [{ kind: "nf4", block: 64 }, { kind: "fp4", block: 32 }, { kind: "mxfp4" }, { kind: "nvfp4" }, {
    kind: "fp8-blocks",
    rows: 2,
    columns: 32,
    codes: "F8_E4M3",
  }, { kind: "fp8-blocks", rows: 1, columns: 0, codes: "F8_E5M2" }] as NumberFormat[]) {
    const restored = holds(format, [3, 64], values, false);
    const worst = restored.reduce((most, value, at) => Math.max(most, Math.abs(value - values[at])), 0);
    // half of the widest gap of a table; MXFP4 cuts what is beyond 6 of 8 (section 6.3 of its specification)
    assert.ok(worst < (format.kind === "mxfp4" ? 0.25 : 0.17), `${JSON.stringify(format)}: ${worst}`);
    assert.ok(worst > 0);
    // blocks of the same largest numbers have the same scales: what is rounded once is rounded
    if (format.kind !== "nvfp4") assert.equal(roundTo(restored, [3, 64], format), restored, format.kind);
  }
});

test("ternary: masks and Golomb-coded gaps, any density, any length", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 60 }), fc.nat(),
      fc.constantFrom(0.01, 0.2, 0.9), (rows, columns, seed, density) => {
      const values = noise(rows * columns, seed + 1).map((x) => (Math.abs(x) < density ? Math.sign(x) * 0.75 : 0));
      for (const positions of ["masks", "golomb"] as const)
        holds({ kind: "ternary", positions }, [rows, columns], values, true);
    }),
  );
  // one in a hundred: some 8 bits each, a fifth of masks (arXiv:2311.13171, section 3)
  const sparse = noise(100_000, 3).map((x) => (Math.abs(x) < 0.01 ? 1 : 0));
  const kept = sparse.reduce((sum, x) => sum + x, 0), format = { kind: "ternary", positions: "golomb" } as const;
  const bits = 8 * codecOf(format).encode(sparse, [10, 10_000], format).codes.length / kept;
  assert.ok(bits > 7.5 && bits < 10, `${bits}`);
  assert.match(thrown(() => codecOf(format).encode(Float32Array.of(1, 2), [1, 2], format)).message, /number 0 is 1/);
  const at = { kind: "ternary", positions: "golomb", bytes: 9 } as const;
  assert.match(
    thrown(() =>
      codecOf(at).decode({ codes: Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0xf8), scales: new Uint8Array(4) }, [1, 4], at)
    ).message,
    /position 5; accepted are 1 gaps below 4/,
  );
});

test.run();
