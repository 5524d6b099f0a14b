/** A true class and a predicted one. */
export type ClassPair = readonly [gold: number, predicted: number];

/** F1 of class 1, of pairs of 0 and 1; 0 where it is undefined. */
export function f1(pairs: readonly ClassPair[]): number {
  const both = pairs.filter(([gold, predicted]) => gold === 1 && predicted === 1).length;
  const either = pairs.filter(([gold]) => gold === 1).length + pairs.filter(([, predicted]) => predicted === 1).length;
  return either === 0 ? 0 : (2 * both) / either;
}

/** Matthews' correlation of any number of classes (Gorodkin 2004); 0 where it is undefined. */
export function matthews(pairs: readonly ClassPair[]): number {
  const n = pairs.length;
  const right = pairs.filter(([gold, predicted]) => gold === predicted).length;
  const gold = counts(pairs.map(([value]) => value));
  const predicted = counts(pairs.map(([, value]) => value));
  const dot = (a: Map<number, number>, b: Map<number, number>) =>
    [...a].reduce((sum, [value, count]) => sum + count * (b.get(value) ?? 0), 0);
  const spread = Math.sqrt((n * n - dot(predicted, predicted)) * (n * n - dot(gold, gold)));
  return spread === 0 ? 0 : (right * n - dot(gold, predicted)) / spread;
}

function counts(values: number[]): Map<number, number> {
  const map = new Map<number, number>();
  for (const value of values) map.set(value, (map.get(value) ?? 0) + 1);
  return map;
}
