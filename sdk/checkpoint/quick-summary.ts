import { countByTwo } from "./count-by-two.js";
import { scanPlainCheckpoint } from "./plain-checkpoint.js";
import { largestFirst, type TensorGroup } from "./tensor-summary.js";

/**
 * The groups of `tensorSummary`, counted while the headers pass by; by two threads where there are many.
 *
 * @returns undefined for what `scanPlainCheckpoint` leaves to `openTensors`
 */
export async function quickSummary(folder: string): Promise<TensorGroup[] | undefined> {
  const counted = await countByTwo(folder);
  if (counted) return largestFirst(counted);
  const scanned = await scanPlainCheckpoint(folder);
  return scanned && largestFirst(scanned.headers.groups());
}
