import { scanPlainCheckpoint } from "./plain-checkpoint.js";
import { largestFirst, type TensorGroup } from "./tensor-summary.js";

/**
 * The groups of `tensorSummary`, counted while the headers pass by.
 *
 * @returns undefined for what `scanPlainCheckpoint` leaves to `openTensors`
 */
export async function quickSummary(folder: string): Promise<TensorGroup[] | undefined> {
  const scanned = await scanPlainCheckpoint(folder);
  return scanned && largestFirst(scanned.headers.groups());
}
