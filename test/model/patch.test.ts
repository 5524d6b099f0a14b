import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { patchBetween, patched } from "../../sdk/model/patch.js";

const test = suite("patches");

test("objects are merged, null takes away, lists are replaced", () => {
  const base = { a: 1, b: { c: [1, 2], d: "x" }, e: true };
  assert.equal(patched(base, { b: { c: [3] }, e: null }), { a: 1, b: { c: [3], d: "x" } });
  assert.equal(base, { a: 1, b: { c: [1, 2], d: "x" }, e: true });
});

test("what lies between two objects makes the one into the other", () => {
  const value = fc.letrec((tie) => ({
    leaf: fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer(), { maxLength: 3 })),
    object: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.oneof(tie("leaf"), tie("object")), { maxKeys: 3,
      noNullPrototype: true }),
  })).object as fc.Arbitrary<Record<string, unknown>>;
  fc.assert(fc.property(value, value, (base, changed) => {
    const patch = patchBetween(base, changed);
    assert.equal({ ...patched(base, (patch ?? {}) as never) }, { ...changed });
    assert.is(patchBetween(base, base), undefined);
  }));
});

test.run();
