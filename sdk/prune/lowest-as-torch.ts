/**
 * The `count` lowest scores as `torch.topk(largest=False)` picks them on a CPU: without ties the lowest, with ties
 * those that its selection happens to leave in front (libstdc++'s `nth_element`, a quickselect with the median of
 * three).
 * For replaying code that prunes by it; the choice among equals means nothing.
 *
 * @returns indices in no order
 * @example lowestAsTorch([3, 1, 2], 2)  // [1, 2]
 */
export function lowestAsTorch(scores: readonly number[], count: number): number[] {
  if (count <= 0) return [];
  const queue = scores.map((score, index) => ({ score, index }));
  // for few of many, torch sorts a heap instead; ties then go as in a stable sort
  if (count * 64 <= queue.length)
    return queue.sort((a, b) => a.score - b.score).slice(0, count).map(({ index }) => index);
  let [first, last] = [0, queue.length];
  while (last - first > 3) {
    const cut = partition(queue, first, last);
    if (cut <= count - 1) first = cut;
    else last = cut;
  }
  for (let i = first + 1; i < last; i++) {
    const [item] = queue.splice(i, 1);
    let at = i;
    while (at > first && item.score < queue[at - 1].score) at -= 1;
    queue.splice(at, 0, item);
  }
  return queue.slice(0, count).map(({ index }) => index);
}

interface Scored {
  score: number;
  index: number;
}

/** moves what is below the median of three to the front of [first, last) and says where the rest begins */
function partition(queue: Scored[], first: number, last: number): number {
  const less = (a: number, b: number) => queue[a].score < queue[b].score;
  const swap = (a: number, b: number) => ([queue[a], queue[b]] = [queue[b], queue[a]]);
  const [a, b, c] = [first + 1, first + ((last - first) >> 1), last - 1];
  const median = less(a, b) ? (less(b, c) ? b : less(a, c) ? c : a) : less(a, c) ? a : less(b, c) ? c : b;
  swap(first, median);
  for (let [i, j] = [first + 1, last];; i++) {
    while (less(i, first)) i += 1;
    j -= 1;
    while (less(first, j)) j -= 1;
    if (i >= j) return i;
    swap(i, j);
  }
}
