import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** Memory that holds nothing, above which moving what is left together is worth a tenth of a second. */
const MUCH_WASTE_BYTES = 12e6;

/**
 * Frees what checked cells have left behind. V8 alone would let it grow until the heap is twice as large, since it
 * measures by
 * what a thread may use, not by how long it has been idle.
 */
export function collectGarbage(): void {
  collect ??= exposed();
  collect();
}

/**
 * Gives memory back that only holds the gaps between what is in use: V8 itself would wait until it is nine tenths gaps.
 */
export function closeGaps(): void {
  if (wasteBytes() < MUCH_WASTE_BYTES) return;
  setFlagsFromString("--compact-on-every-full-gc");
  collectGarbage();
  setFlagsFromString("--no-compact-on-every-full-gc");
  // from Node 24 on the flag leaves half of the gaps, unless memory is said to be short, which Node 20 does not know
  if (wasteBytes() >= MUCH_WASTE_BYTES) collect!({ type: "major", flavor: "last-resort" });
}

function wasteBytes(): number {
  const { total_heap_size, used_heap_size } = getHeapStatistics();
  return total_heap_size - used_heap_size;
}

type Collect = (options?: { type: "major"; flavor: "last-resort" }) => void;
let collect: Collect | undefined;

function exposed(): Collect {
  setFlagsFromString("--expose-gc");
  // loaded here, since it cannot be part of a snapshot
  const found = process.getBuiltinModule("node:vm").runInNewContext("gc") as Collect;
  setFlagsFromString("--no-expose-gc");
  return found;
}
