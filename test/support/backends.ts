import { activate } from "../../sdk/tensor/backends/activate.js";
import { candidates } from "../../sdk/tensor/backends/candidates.js";
import { ready } from "../../sdk/tensor/index.js";
import { findEngine } from "../../sdk/tensor/torch/engine-folder.js";

const built = findEngine() !== undefined;
if (!built) console.log("skip: the torch engine is not built, so nothing runs on it");

/** The back ends that operations are tested on. */
export const testedBackends = ["cpu", "wasm", ...(built ? ["torch"] : [])];

/** Makes a back end active, past the choice that `ready()` makes once per process, which a model would make later. */
export async function useBackend(name: string): Promise<void> {
  await ready();
  const outcome = await activate(candidates.find((one) => one.name === name)!, true);
  if (!outcome.ok) throw new Error(`${name}: ${outcome.reason}`);
}
