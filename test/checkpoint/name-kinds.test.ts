import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NameKinds } from "../../sdk/checkpoint/name-kinds.js";

const test = suite("name-kinds");
const encode = (name: string) => new TextEncoder().encode(`${name}"`);

test("two names have one key if they are one name", () => {
  const word = fc.oneof(fc.constantFrom("layers", "experts", "w1", "expert_0", "1x", "", "007"), fc.nat(12).map(String),
    fc.nat().map(String));
  const name = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join("."));
  fc.assert(fc.property(fc.array(name, { maxLength: 40 }), (names) => {
    const kinds = new NameKinds();
    const seen = new Map<number, string>(), keys = new Map<string, number>();
    for (const each of [...names, ...names]) {
      const end = kinds.read(encode(each), 0);
      if (end < 0) continue;
      assert.is(end, each.length);
      assert.is(seen.get(kinds.key) ?? each, each);
      assert.is(keys.get(each) ?? kinds.key, kinds.key);
      seen.set(kinds.key, each);
      keys.set(each, kinds.key);
    }
  }), { numRuns: 500, seed: 5 });
});

test("names of one kind differ by numbers alone", () => {
  const kinds = new NameKinds();
  const kindOf = (name: string) => (kinds.read(encode(name), 0) < 0 ? undefined : kinds.part(kinds.kind));
  assert.is(kindOf("model.layers.3.mlp.experts.17.up_proj.weight"), "model.layers.*.mlp.experts.*.up_proj.weight");
  assert.is(kindOf("model.layers.4.mlp.experts.2.up_proj.weight"), "model.layers.*.mlp.experts.*.up_proj.weight");
  assert.is(kindOf("model.layers.4.w1"), "model.layers.*.w1");
  assert.is(kindOf("model.layers.04.w1"), undefined);
  assert.is(kindOf("a\\u0041"), undefined);
  assert.is(kindOf("é"), undefined);
  assert.is(kindOf("0.1.2.3.4"), undefined);
});

test.run();
