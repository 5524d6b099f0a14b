import type { Item } from "../tasks/task.js";
import type { Baseline } from "./baseline.js";

/**
 * Multinomial naive Bayes with add-one smoothing: over words of prose, or over letter n-grams (1 to 4, with word ends)
 * of a spelled word.
 */
export const naiveBayes: Baseline = ({ train }) => {
  const labels = new Map<string, { answer: string[]; items: number; features: number; counts: Map<string, number> }>();
  const vocabulary = new Set<string>();
  for (const item of train) {
    const key = item.answer.join("");
    if (!labels.has(key)) labels.set(key, { answer: item.answer, items: 0, features: 0, counts: new Map() });
    const label = labels.get(key)!;
    label.items++;
    for (const feature of features(item)) {
      vocabulary.add(feature);
      label.features++;
      label.counts.set(feature, (label.counts.get(feature) ?? 0) + 1);
    }
  }
  return (item) => {
    const known = features(item).filter((feature) => vocabulary.has(feature));
    let best = { answer: [] as string[], score: -Infinity };
    for (const { answer, items, features, counts } of labels.values()) {
      const score = known.reduce(
        (sum, feature) => sum + Math.log(((counts.get(feature) ?? 0) + 1) / (features + vocabulary.size)),
        Math.log(items),
      );
      if (score > best.score) best = { answer, score };
    }
    return best.answer;
  };
};

function features({ prompt }: Item): string[] {
  if (prompt.some((symbol) => symbol.startsWith(" ")))
    return prompt.flatMap((word) => word.match(/[a-z0'-]+|[^ a-z0'-]/g) ?? []);
  const word = `^${prompt.map((symbol) => symbol.slice(1, -1)).join("")}$`;
  return [1, 2, 3, 4].flatMap((n) =>
    Array.from({ length: Math.max(0, word.length - n + 1) }, (_, i) => word.slice(i, i + n))
  );
}
