import { hash } from "../hash.js";
import type { Item, Part, Sizes } from "./task.js";

/** Items of each part before they are cut to size. */
export type Parts = Record<Part, Item[]>;

/**
 * Chooses the part that a key belongs to, for every task alike: of twenty hash values one is dev, two are test.
 * A word that is tested by one task is therefore not seen in training by another.
 */
export function partOf(key: string): Part {
  const bucket = hash(key) % 20;
  return bucket === 0 ? "dev" : bucket < 3 ? "test" : "train";
}

/**
 * Chooses parts for documents in their natural order (speeches by year): of each ten neighbours the lowest hash is test, the next dev.
 * Dev and test so are spread evenly over the years, which a plain hash of some 200 speeches does not do.
 */
export function partsOfDocuments(ids: readonly string[]): Map<string, Part> {
  const parts = new Map<string, Part>();
  for (let start = 0; start < ids.length; start += 10) {
    const block = ids.slice(start, start + 10).sort((a, b) => hash(a) - hash(b));
    block.forEach((id, rank) => parts.set(id, rank === 0 ? "test" : rank === 1 ? "dev" : "train"));
  }
  return parts;
}

/** Sorts items by the hash of their id and puts each in the part of its document. */
export function split(items: readonly Item[], part: (document: string) => Part = partOf): Parts {
  const parts: Parts = { train: [], dev: [], test: [] };
  const keyed = items.map((item) => ({ item, key: hash(item.id) }));
  keyed.sort((a, b) => a.key - b.key || (a.item.id < b.item.id ? -1 : 1));
  for (const { item } of keyed) parts[part(item.document)].push(item);
  return parts;
}

/** Keeps the first items of each part. */
export function cut(parts: Parts, sizes: Sizes): Parts {
  return { train: parts.train.slice(0, sizes.train), dev: parts.dev.slice(0, sizes.dev), test: parts.test.slice(0, sizes.test) };
}

/**
 * Keeps the same number of items of each answer in each part, in the order they had: as many as the rarest answer has, within the size.
 * Thus the majority is worth exactly one over the number of answers.
 */
export function balance(parts: Parts, sizes: Sizes): Parts {
  const even = (items: Item[], size: number): Item[] => {
    const counts = new Map<string, number>();
    for (const item of items) counts.set(item.answer.join(""), (counts.get(item.answer.join("")) ?? 0) + 1);
    const quota = Math.min(...counts.values(), Math.floor(size / counts.size));
    const taken = new Map<string, number>();
    return items.filter((item) => {
      const label = item.answer.join("");
      taken.set(label, (taken.get(label) ?? 0) + 1);
      return taken.get(label)! <= quota;
    });
  };
  return { train: even(parts.train, sizes.train), dev: even(parts.dev, sizes.dev), test: even(parts.test, sizes.test) };
}
