import { test } from "uvu";
import * as assert from "uvu/assert";
import { decode } from "../../../sdk/tensor/formats/index.js";
import { testedBackends, useBackend } from "../../support/backends.js";

if (testedBackends.includes("torch")) {
  test("the native decoder gives the same bits for every code, aligned or not", async () => {
    const codes = Uint16Array.from({ length: 65536 }, (_, code) => code);
    const bytes = new Uint8Array(codes.buffer);
    const shifted = new Uint8Array(bytes.length + 1).subarray(1);
    shifted.set(bytes);
    // a NaN may have any payload
    const bits = (values: Float32Array) =>
      Uint32Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length),
        (word, i) => (Number.isNaN(values[i]) ? 0x7fc00000 : word));
    for (const dtype of ["BF16", "F16", "F8_E4M3", "F8_E5M2"] as const) {
      await useBackend("wasm");
      const expected = bits(decode(bytes, dtype));
      await useBackend("torch");
      for (const source of [bytes, shifted]) assert.equal(bits(decode(source, dtype)), expected, dtype);
    }
  });
}

test.run();
