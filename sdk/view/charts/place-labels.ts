import { textWidth } from "../chart-font.js";

/** A point in pixels with its vertical interval and the label that it wants. */
export interface LabelledPoint {
  x: number;
  y: number;
  top: number;
  bottom: number;
  label: string;
}

export interface PlacedLabel {
  labelX: number;
  labelY: number;
  align: "left" | "right";
  /** not beside its point, so that a line must lead there */
  far: boolean;
}

/**
 * Finds a place for each label, one after the other: of the places to the right and left of its point, up to six lines
 * above and below, the nearest that covers the fewest points, intervals and labels placed before.
 */
export function placeLabels<P extends LabelledPoint>(
  points: readonly P[],
  width: number,
  height: number,
): (P & PlacedLabel)[] {
  const line = 14;
  const taken: Box[] = points.flatMap(
    ({ x, y, top, bottom }) => [{ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 }, { left: x - 1, right: x + 1,
      top, bottom }]
  );
  return points.map((point) => {
    const long = textWidth(point.label, 12);
    let best: { place: PlacedLabel; box: Box; cost: number } | undefined;
    for (const [align, gap] of [["left", 9], ["right", 9], ["left", 26], ["right", 26]] as const) {
      for (const lines of [0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6]) {
        const labelX = point.x + (align === "left" ? gap : -gap);
        const labelY = point.y + lines * line;
        const left = align === "left" ? labelX : labelX - long;
        const box = { left: left - 2, right: left + long + 2, top: labelY - line / 2, bottom: labelY + line / 2 };
        const outside = box.left < 0 || box.right > width || box.top < 0 || box.bottom > height;
        const cost = 100 * taken.filter((other) => overlap(box, other)).length + (outside ? 1000 : 0)
          + 8 * Math.abs(lines) + (align === "right" ? 4 : 0) + (gap > 9 ? 10 : 0);
        if (best === undefined || cost < best.cost)
          best = { place: { labelX, labelY, align, far: lines !== 0 || gap > 9 }, box, cost };
      }
    }
    taken.push(best!.box);
    return { ...point, ...best!.place };
  });
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
