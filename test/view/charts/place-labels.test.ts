import { test } from "uvu";
import * as assert from "uvu/assert";
import { textWidth } from "../../../sdk/view/chart-font.js";
import { placeLabels } from "../../../sdk/view/charts/place-labels.js";

const point = (label: string, x: number, y: number) => ({ label, x, y, top: y - 10, bottom: y + 10 });

test("a lone label stands to the right of its point, at the right edge to the left", () => {
  const [free, edge] = placeLabels([point("m-smoe", 50, 100), point("m-smoe", 390, 100)], 400, 200);
  assert.equal([free.labelX, free.labelY, free.align, free.far], [59, 100, "left", false]);
  assert.equal([edge.labelX, edge.labelY, edge.align, edge.far], [381, 100, "right", false]);
});

test("labels of points on one spot cover neither one another nor the points", () => {
  const labels = placeLabels(Array.from({ length: 8 }, (_, i) => point(`averaging ${i}`, 200, 100)), 400, 200);
  const boxes = labels.map(({ label, labelX, labelY, align }) => {
    const left = align === "left" ? labelX : labelX - textWidth(label, 12);
    return { left, right: left + textWidth(label, 12), top: labelY - 6, bottom: labelY + 6 };
  });
  boxes.push({ left: 194, right: 206, top: 94, bottom: 106 });
  boxes.forEach((a, i) =>
    boxes.slice(i + 1).forEach((b) => {
      assert.ok(a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top,
        `${JSON.stringify(a)} covers ${JSON.stringify(b)}`);
    })
  );
});

test.run();
