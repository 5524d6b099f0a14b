import { getHeapStatistics } from "node:v8";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { closeGaps, collectGarbage } from "../../../../kernels/moelab/language/garbage.js";

const gapsMb = () => {
  const { total_heap_size, used_heap_size } = getHeapStatistics();
  return (total_heap_size - used_heap_size) / 1e6;
};

test("gaps that collecting garbage leaves between what is in use are closed", () => {
  const made = Array.from({ length: 600_000 }, (_, at) => ({ at, neighbours: [at, at] }));
  const kept = made.filter(({ at }) => at % 8 === 0);
  made.length = 0;
  collectGarbage();
  const left = gapsMb();
  assert.ok(left > 20, `only ${left} MB of gaps to close`);
  closeGaps();
  assert.ok(gapsMb() < left / 2, `${gapsMb()} of ${left} MB left`);
  assert.is(kept.length, 75_000);
  assert.equal(kept[74_999], { at: 599_992, neighbours: [599_992, 599_992] });
});

test.run();
