/**
 * Keeps the points of a line that make its shape: first and last always, and of each of equally many points between
 * them
 * the one that spans the largest triangle with its neighbours. Peaks stay, which keeping every n-th point would lose.
 * Largest-triangle-three-buckets of Sveinn Steinarsson, Downsampling Time Series for Visual Representation, 2013.
 *
 * @param points in order of x; a line that is short enough is returned as it is
 * @param most how many points may stay, at least 3
 * @example thinLine(losses.map((loss, step) => ({ x: step, y: loss })), 500)
 */
export function thinLine<P extends { x: number; y: number }>(points: readonly P[], most: number): P[] {
  const room = Math.max(3, Math.floor(most));
  if (points.length <= room) return [...points];
  const start = (bucket: number) => 1 + Math.floor((bucket * (points.length - 2)) / (room - 2));
  const kept = [points[0]];
  for (let bucket = 0; bucket < room - 2; bucket++) {
    const next = mean(points.slice(start(bucket + 1), bucket === room - 3 ? points.length : start(bucket + 2)));
    const last = kept[kept.length - 1];
    // twice the area of the triangle of the last kept point, this one, and the middle of the next bucket
    const area = ({ x, y }: P) => Math.abs((last.x - next.x) * (y - last.y) - (last.x - x) * (next.y - last.y));
    kept.push(
      points.slice(start(bucket), start(bucket + 1)).reduce((best, point) => (area(point) > area(best) ? point : best)),
    );
  }
  return [...kept, points[points.length - 1]];
}

function mean(points: readonly { x: number; y: number }[]): { x: number; y: number } {
  return { x: points.reduce((sum, { x }) => sum + x, 0) / points.length,
    y: points.reduce((sum, { y }) => sum + y, 0) / points.length };
}
