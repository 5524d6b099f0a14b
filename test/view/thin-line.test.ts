import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { thinLine } from "../../sdk/view/thin-line.js";

const line = (length: number, y: (x: number) => number) => Array.from({ length }, (_, x) => ({ x, y: y(x) }));

test("a lone peak stays, which keeping every n-th point would lose", () => {
  const kept = thinLine(line(10_000, (x) => (x === 4321 ? 9 : 0)), 100);
  assert.is(kept.length, 100);
  assert.ok(kept.some(({ x, y }) => x === 4321 && y === 9));
});

test("any line keeps its ends, its order and its own points, and is as short as asked", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 300 }),
      fc.integer({ min: 1, max: 320 }), (ys, most) => {
      const points = line(ys.length, (x) => ys[x]);
      const kept = thinLine(points, most);
      assert.is(kept.length, Math.min(points.length, Math.max(3, most)));
      assert.is(kept[0], points[0]);
      assert.is(kept.at(-1), points.at(-1));
      kept.forEach((point, i) => assert.ok(points[point.x] === point && (i === 0 || point.x > kept[i - 1].x)));
    }),
  );
});

test.run();
