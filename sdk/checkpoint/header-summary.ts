import { quickSummary } from "./quick-summary.js";
import { openTensors } from "./safetensors.js";
import { type TensorGroup, tensorSummary } from "./tensor-summary.js";

/**
 * What a checkpoint holds by part and dtype, from its headers alone. How long half a million tensors take is in
 * `test/bench/checkpoint`.
 *
 * @param path a folder, a .safetensors or a .gguf file
 * @throws as `openTensors`
 */
export async function headerSummary(path: string): Promise<TensorGroup[]> {
  const quick = await quickSummary(path);
  if (quick) return quick;
  const store = await openTensors(path);
  try {
    return tensorSummary(store);
  } finally {
    await store.close();
  }
}
