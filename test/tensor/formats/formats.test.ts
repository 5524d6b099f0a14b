import fc from "fast-check";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Dtype } from "../../../sdk/tensor/formats/dtype.js";
import { decode, decodeMxfp4, encode, encodeMxfp4, packInt4, unpackInt4 } from "../../../sdk/tensor/formats/index.js";
import { fixture } from "../../support/shared.js";

const file = readFileSync(fixture("dtypes.safetensors"));
const headerBytes = Number(file.readBigUInt64LE(0));
const header = JSON.parse(file.toString("utf8", 8, 8 + headerBytes)) as Record<string,
  { dtype: Dtype; data_offsets: [number, number] }>;
const bytesOf = (name: string) =>
  new Uint8Array(file.subarray(...(header[name].data_offsets.map((at) => 8 + headerBytes + at) as [number, number])));
const expected = JSON.parse(readFileSync(fixture("dtypes.expected.json"), "utf8")) as Record<string,
  { dtype: Dtype; values: string[] }>;
const parse =
  (text: string) => (text === "inf" ? Infinity : text === "-inf" ? -Infinity : text === "nan" ? NaN : Number(text));
const same = (a: number, b: number) => Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b));

for (const [name, { dtype, values }] of Object.entries(expected)) {
  test(`${name} decodes to the listed numbers, aligned or not, and back to the same bytes`, () => {
    const bytes = bytesOf(name);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    for (const got of [decode(bytes, dtype), decode(shifted.subarray(1), dtype)]) {
      assert.is(got.length, values.length);
      got.forEach((value, i) =>
        assert.ok(same(value, Math.fround(parse(values[i]))), `${name}[${i}]: ${value}, expected ${values[i]}`)
      );
    }
    const fits = !["F64", "I64", "U64", "I32", "U32"].includes(dtype); // these hold more than a float32
    if (!fits) return;
    const back = encode(decode(bytes, dtype), dtype);
    const again = decode(back, dtype);
    values.forEach((text, i) => assert.ok(same(again[i], Math.fround(parse(text)))));
    const isNan = values.map((text) => text === "nan");
    const size = bytes.length / values.length;
    back.forEach((byte, i) => {
      if (!isNan[Math.floor(i / size)]) assert.is(byte, bytes[i], `${name}, byte ${i}`);
    });
  });
}

test("64-bit integers are rounded once", () => {
  // 2^53 + 2^29 + 1 lies just above the middle of two float32 numbers; rounding to a double first would lose the 1
  const decoded = decode(
    new Uint8Array(BigInt64Array.of(2n ** 53n + 2n ** 29n + 1n, -(2n ** 53n) - 2n ** 29n - 1n).buffer),
    "I64",
  );
  assert.equal([...decoded], [2 ** 53 + 2 ** 30, -(2 ** 53) - 2 ** 30]);
});

for (const dtype of ["F16", "BF16", "F8_E4M3", "F8_E5M2"] as const) {
  test(`${dtype} goes to the nearest code, ties to the even one`, () => {
    const size = dtype.startsWith("F8") ? 1 : 2;
    const codes = size === 1
      ? Uint8Array.from({ length: 128 }, (_, i) => i)
      : Uint16Array.from({ length: 32768 }, (_, i) => i);
    const numbers = decode(new Uint8Array(codes.buffer), dtype);
    const code = (x: number) => {
      const bytes = encode(Float32Array.of(x), dtype);
      return size === 1 ? bytes[0] : bytes[0] + 256 * bytes[1];
    };
    for (let i = 0; i + 1 < numbers.length && Number.isFinite(numbers[i + 1]); i += size === 1 ? 1 : 37) {
      const middle = Math.fround((numbers[i] + numbers[i + 1]) / 2);
      assert.is(code(numbers[i]), i);
      if (middle !== numbers[i] && middle !== numbers[i + 1])
        assert.is(code(middle), i % 2 === 0 ? i : i + 1, `middle of ${i} and ${i + 1}`);
      assert.is(code(-numbers[i]), i + 128 * 256 ** (size - 1));
    }
  });
}

test("overflow: infinity, or NaN where the format has none; integers stop at their ends", () => {
  assert.equal([...decode(encode(Float32Array.of(65519, 65520, -1e9), "F16"), "F16")], [65504, Infinity, -Infinity]);
  assert.equal([...decode(encode(Float32Array.of(464, 464.1, -Infinity), "F8_E4M3"), "F8_E4M3")], [448, NaN, NaN]);
  assert.equal([...decode(encode(Float32Array.of(61439, 61440), "F8_E5M2"), "F8_E5M2")], [57344, Infinity]);
  assert.equal([...decode(encode(Float32Array.of(2.5, 3.5, -0.5, 300, -300, NaN), "I8"), "I8")], [2, 4, 0, 127, -128,
    0]);
  assert.equal([...new BigInt64Array(encode(Float32Array.of(1e30, -1e30, 7), "I64").buffer)], [2n ** 63n - 1n,
    -(2n ** 63n), 7n]);
});

test("packed 4-bit integers, lower half first", () => {
  assert.equal([...unpackInt4(Uint8Array.of(0xf1, 0x87), true)], [1, -1, 7, -8]);
  assert.equal([...unpackInt4(Uint8Array.of(0xf1), false)], [1, 15]);
  fc.assert(
    fc.property(fc.uint8Array(), fc.boolean(), (bytes, signed) =>
      assert.equal(packInt4(unpackInt4(bytes, signed), signed), bytes)),
    { seed: 1 },
  );
});

test("MXFP4: codes, scales, and the nearest code", () => {
  const blocks = Uint8Array.from({ length: 16 }, (_, i) => i * 16 + (15 - i));
  const values = decodeMxfp4(blocks, Uint8Array.of(128)); // scale 2
  assert.equal([...values.slice(0, 4)], [-12, 0, -8, 1]);
  assert.equal(encodeMxfp4(values), { blocks, scales: Uint8Array.of(128) });
  const block = new Float32Array(32);
  block.set([6, 5, 3.5, 2.5, 0.25, 0.75, -0.2, 7]); // 5 lies between 4 and 6, codes 6 and 7
  const rounded = encodeMxfp4(block);
  assert.equal([...decodeMxfp4(rounded.blocks, rounded.scales).slice(0, 8)], [6, 4, 4, 2, 0, 1, -0, 6]);
  assert.ok(decodeMxfp4(blocks, Uint8Array.of(255)).every(Number.isNaN));
  assert.throws(() => decodeMxfp4(blocks, Uint8Array.of(1, 2)), /16 bytes for each scale/);
  assert.equal([...decode(encode(values, "MXFP4"), "MXFP4")], [...values]);
});

test("bytes that are cut short are refused", () => {
  assert.throws(() => decode(new Uint8Array(7), "F32"), /7 bytes of F32; accepted is a multiple of 4/);
});

test("formats of MX and AMD that only readers know", () => {
  const numbers = (dtype: Dtype, ...codes: number[]) => [...decode(Uint8Array.from(codes), dtype)];
  // values of torch 2.15: float8_e8m0fnu, float8_e4m3fnuz, float8_e5m2fnuz; tables of the OCP specification
  assert.equal(numbers("F8_E8M0", 0, 127, 130), [2 ** -127, 1, 8]);
  assert.ok(Number.isNaN(numbers("F8_E8M0", 255)[0]));
  assert.equal(numbers("F8_E4M3FNUZ", 0x40, 0x7f, 0x01, 0xc0), [1, 240, 2 ** -10, -1]);
  assert.ok(Number.isNaN(numbers("F8_E4M3FNUZ", 0x80)[0]));
  assert.equal(numbers("F8_E5M2FNUZ", 0x40, 0x7f, 0x01), [1, 57344, 2 ** -17]);
  assert.equal(numbers("F4", 0x71, 0xf0), [0.5, 6, 0, -6]);
  assert.equal(numbers("F6_E2M3", 0x1f, 0, 0), [7.5, 0, 0, 0]);
  assert.equal(numbers("F6_E3M2", 0x1f, 0, 0x80), [28, 0, 0, -0]);
  assert.throws(() => numbers("C64", 0, 0, 0, 0, 0, 0, 0, 0), /complex/);
  assert.throws(() => numbers("F6_E3M2", 0, 0), /2 bytes of F6_E3M2; accepted is a multiple of 3/);
});

test.run();
