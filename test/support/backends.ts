import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tf } from "../../sdk/tensor/index.js";
import { candidates } from "../../sdk/tensor/backends/candidates.js";
import { registerGradients } from "../../sdk/tensor/gradients/register.js";

const built = existsSync(fileURLToPath(new URL("../../.engine", import.meta.url)));
if (!built) console.log("skip: .engine is not built, so nothing runs on torch");

/** The back ends that operations are tested on. */
export const testedBackends = ["cpu", "wasm", ...(built ? ["torch"] : [])];

/** Makes a back end active, past the choice that `ready()` makes once per process. */
export async function useBackend(name: string): Promise<void> {
  registerGradients();
  const candidate = candidates.find((one) => one.name === name)!;
  const outcome = await candidate.start();
  if ("reason" in outcome) throw new Error(`${name}: ${outcome.reason}`);
  await tf.ready();
}
