import { test } from "uvu";
import * as assert from "uvu/assert";
import { filled } from "../../sdk/experiment/filled.js";

test("a whole string becomes the value itself, a part of one its text, digits alone a number", () => {
  assert.equal(filled({ seed: "$seed", again: "10$seed", note: ["of $task"], keep: 4 }, { seed: 3, task: "pron" }), {
    seed: 3,
    again: 103,
    note: ["of pron"],
    keep: 4,
  });
  assert.equal(filled("$outer", { outer: { task: "$task" }, task: "pos" }), { task: "pos" });
});

test("an unknown name is refused with the nearest one, a circle ends", () => {
  assert.throws(() => filled("$sed", { seed: 1 }), /does not define. Did you mean "seed"/);
  assert.throws(() => filled("$a", { a: "$b", b: "$a" }), /leads back to itself/);
});

test.run();
