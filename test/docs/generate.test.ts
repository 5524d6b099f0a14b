import { test } from "uvu";
import * as assert from "uvu/assert";
import { pages } from "../../docs/generate.js";
import { methodList } from "../../sdk/stages/method-list.js";

test("what is generated of README.md and docs/ is up to date: npm run docs writes it", () => {
  const { "sdk/known-names.ts": names, ...others } = pages();
  for (const [path, { now, wanted }] of Object.entries(others)) assert.is(now, wanted, path);
  // a name that is not completed yet is no fault, one that is not there is
  const there = new Set(names.wanted.split(/;?\n/));
  assert.equal(names.now.split(/;?\n/).filter((line) => !there.has(line)), [], "sdk/known-names.ts");
});

test("the list of methods draws itself, and shows the options of one", () => {
  const list = methodList();
  const text = list.table().toText();
  for (const { name, about } of list) assert.ok(text.includes(name) && text.includes(about!.slice(0, 60)), name);
  assert.match(text, "keep, similarity = router-logits, grouping = leaders");
  assert.ok(Array.isArray(list.map(({ name }) => name)));
  const options = methodList("dynamic-skipping");
  assert.equal(options.toRecords()[0], { option: "threshold", accepted: "\"median\", \"mean\", a number from 0",
    default: "median",
    about: "the threshold of a layer: the median or mean of its ratios, or one number for all layers" });
  assert.throws(() => methodList("m-smo"), /Did you mean "m-smoe"/);
});

test.run();
