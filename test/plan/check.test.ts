import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../sdk/errors.js";
import { checkPlan, parsePlan } from "../../sdk/plan/check.js";
import { nanoMoe } from "../support/nano-moe.js";

const test = suite("checkPlan");
const { spec } = nanoMoe({ layers: 1, experts: 4, topK: 2 });
const good = () => ({
  version: 1,
  for: "f",
  method: "m",
  options: {},
  layers: {
    "layers.0": {
      slots: [{ from: [{ expert: 0, weight: 1 }] }, { from: [{ expert: 1, weight: 0.5 }, { expert: 2, weight: 0.5 }] }],
      expertOf: [0, 1, 1, 0],
    },
  } as Record<string, unknown>,
});
const layer = (change: Record<string, unknown>) => ({ ...good(),
  layers: { "layers.0": { ...(good().layers["layers.0"] as object), ...change } } });

test("a plan comes back as it went in", () =>
  assert.equal(checkPlan(JSON.parse(JSON.stringify(good())), spec), good()));

const bad: [string, unknown, RegExp][] = [["not an object", 3, /bad|plan/], ["another version", { ...good(),
  version: 3 }, /version/], ["an unknown field", { ...good(), run: "rm" }, /run/], ["a layer that is not there", {
  ...good(),
  layers: { "layers.7": {} },
}, /layers\.7.*Did you mean "layers\.0"/], ["a slot that is not there", layer({ expertOf: [0, 1, 2, 0] }),
  /slot 2 of 2/], ["a short map", layer({ expertOf: [0, 1] }), /2 entries, the router has 4/], [
  "an expert that is not there",
  layer({ slots: [{ from: [{ expert: 9, weight: 1 }] }], expertOf: [0, 0, 0, 0] }),
  /expert 9/,
], ["no source", layer({ slots: [{ from: [] }], expertOf: [0, 0, 0, 0] }), /from/], ["a weight that is no number",
  layer({ slots: [{ from: [{ expert: 0, weight: Infinity }] }], expertOf: [0, 0, 0, 0] }), /weight/], [
  "a permutation that repeats",
  layer({
    slots: [{ from: [{ expert: 0, weight: 1 }],
      align: { by: "activations", to: "first", permutations: { 0: [0, 0, 1, 2, 3, 4, 5, 6] } } }],
    expertOf: [0, 0, 0, 0],
  }),
  /no permutation of 8/,
], ["too few open outputs", layer({ router: { mask: [0, 1, 2] } }), /1 router outputs stay open, a token takes 2/], [
  "an output that is not there",
  layer({ router: { mask: [4] } }),
  /output 4 of 4/,
], ["dropped and changed", layer({ drop: "layer" }), /at once/]];
for (const [what, plan, message] of bad) {
  test(`refused: ${what}`, () => {
    try {
      checkPlan(plan, spec);
      assert.unreachable("accepted");
    } catch (error) {
      assert.instance(error, MoeError);
      assert.is((error as MoeError).code, "bad-plan");
      assert.match((error as MoeError).message, message);
    }
  });
}

const handwritten: [unknown, string][] = [[{ ...good(), version: 3 }, "version is 3; accepted is 1, 2."], [{
  version: 1,
}, "the whole has no \"for\"; accepted is one that has."], [layer({ routr: {} }),
  "layers.layers.0 holds \"routr\". Did you mean \"router\"? Accepted: drop, slots, expertOf, router."], [
  layer({ router: { skipBelow: "0.5" } }),
  "layers.layers.0.router.skipBelow is \"0.5\"; accepted is a number.",
], [layer({ expertOf: [0, 1.5, 0, 0] }), "layers.layers.0.expertOf.1 is 1.5; accepted is a whole number."], [
  layer({ slots: [{ from: [], form: { form: "dense" } }] }),
  "layers.layers.0.slots.0.from is a list of 0; accepted is at least 1 of them.",
], [layer({ drop: "atention" }),
  "layers.layers.0.drop is \"atention\"; accepted is \"layer\", \"attention\", \"ffn\"."], [
  layer({ slots: [{ from: [{ expert: 0, weight: 1 }], form: { form: "dense", rank: 2 } }] }),
  "layers.layers.0.slots.0.form holds \"rank\". Accepted: form.",
]];
for (const [plan, said] of handwritten) {
  test(`a plan written by hand: ${said}`, () => {
    assert.throws(() => parsePlan(plan), (error: Error) =>
      error.message === `plan: ${said} Correct it, or let a method make the plan again.`);
  });
}

test("a layer named __proto__ is dropped and reaches nothing", () => {
  const checked = checkPlan({ ...good(), layers: JSON.parse("{\"__proto__\": {\"drop\": \"layer\"}}") }, spec);
  assert.equal(Object.keys(checked.layers), []);
  assert.is((checked.layers as Record<string, unknown>).drop, undefined);
});

test("any JSON is either a plan or refused by name, never another error", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("layers", "slots", "expertOf", "from", "router", "version"),
      (value, key) => {
        for (const plan of [value, { ...good(), [key]: value }, layer({ [key]: value })]) {
          try {
            checkPlan(plan, spec);
          } catch (error) {
            assert.is((error as MoeError).code, "bad-plan");
          }
        }
      }),
    { numRuns: 200 },
  );
});

test("a list beyond its limit is refused without walking it", () => {
  assert.throws(() => parsePlan({ ...good(), layers: { "layers.0": { expertOf: new Array(2 ** 21).fill(0) } } }),
    /expertOf/);
});

test.run();
