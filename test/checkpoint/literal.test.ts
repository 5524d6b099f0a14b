import { test } from "uvu";
import * as assert from "uvu/assert";
import { Literal, viewOf } from "../../sdk/checkpoint/literal.js";

const bytes = (length: number, first = 0) => Uint8Array.from({ length }, (_, at) => first + at);

test("is found at its place alone, whatever its length, up to the end of the file", () => {
  for (let length = 1; length <= 13; length++) {
    const literal = new Literal(bytes(length, 100));
    for (let start = 0; start < 6; start++) {
      // the file is a part of a larger buffer, as headers are
      const file = Uint8Array.from([9, 9, 9, ...bytes(start), ...bytes(length, 100)]).subarray(3);
      for (let at = 0; at <= file.length + 1; at++)
        assert.is(literal.isAt(viewOf(file), at), at === start, `${length} bytes at ${start}, asked at ${at}`);
    }
  }
});

test("every byte counts", () => {
  const known = bytes(11, 100);
  for (let at = 0; at < known.length; at++) {
    const other = known.slice();
    other[at] ^= 0x80;
    assert.not(new Literal(known).isAt(viewOf(other), 0), `byte ${at}`);
  }
});

test("keeps its bytes when the file's memory is used again", () => {
  const file = bytes(10, 100);
  const literal = new Literal(file.subarray(0, 10));
  file.fill(0);
  assert.not(literal.isAt(viewOf(file), 0));
  assert.ok(literal.isAt(viewOf(bytes(10, 100)), 0));
});

test.run();
