import { hash } from "../hash.js";
import type { Item, Part, Sizes } from "./task.js";

export type Parts<T = Item> = Record<Part, T[]>;

const PARTS = ["train", "dev", "test"] as const;

/**
 * Chooses the part that a key belongs to, for every task alike: of twenty hash values one is dev, two are test.
 * A word that is tested by one task is therefore not seen in training by another.
 */
export function partOf(key: string): Part {
  const bucket = hash(key) % 20;
  return bucket === 0 ? "dev" : bucket < 3 ? "test" : "train";
}

/**
 * Chooses parts for documents in their natural order (speeches by year): of each ten neighbours the lowest hash is
 * test, the next dev.
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

/** Sorts by the hash of the id and puts each element in the part of its document. */
export function split<T extends { id: string; document: string }>(
  all: readonly T[],
  part: (document: string) => Part = partOf,
): Parts<T> {
  const keys = all.map(({ id }) => hash(id));
  const order = all.map((_, i) => i).sort((a, b) => keys[a] - keys[b] || (all[a].id < all[b].id ? -1 : 1));
  const parts: Parts<T> = { train: [], dev: [], test: [] };
  for (const i of order) parts[part(all[i].document)].push(all[i]);
  return parts;
}

/** Keeps the first elements of each part and makes them into items; what is cut off is never made. */
export function cut<T>(parts: Parts<T>, sizes: Sizes, toItem: (element: T) => Item): Parts {
  return eachPart((part) => parts[part].slice(0, sizes[part]).map(toItem));
}

/**
 * Keeps the same number of items of each answer in each part, in the order they had: as many as the rarest answer has,
 * within the size.
 * Thus the majority is worth exactly one over the number of answers.
 */
export function balance(parts: Parts, sizes: Sizes): Parts {
  return eachPart((part) => {
    const counts = new Map<string, number>();
    for (const { answer } of parts[part]) counts.set(answer[0], (counts.get(answer[0]) ?? 0) + 1);
    const quota = Math.min(...counts.values(), Math.floor(sizes[part] / counts.size));
    const left = new Map([...counts.keys()].map((label) => [label, quota]));
    return parts[part].filter(({ answer: [label] }) => {
      left.set(label, left.get(label)! - 1);
      return left.get(label)! >= 0;
    });
  });
}

function eachPart(make: (part: Part) => Item[]): Parts {
  return Object.fromEntries(PARTS.map((part) => [part, make(part)])) as Parts;
}
