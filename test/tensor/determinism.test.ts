import { fileURLToPath, pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { testedBackends } from "../support/backends.js";
import { inProcess } from "../support/in-process.js";

const training = pathToFileURL(fileURLToPath(new URL("../support/nano-training.ts", import.meta.url))).href;

/** Hash of the losses and of every weight after three steps of training, in a process of its own. */
async function trained(backend: string, seed: number): Promise<string> {
  const code = `
    import { createHash } from "node:crypto";
    import { trainNano } from ${JSON.stringify(training)};
    await ready();
    const hash = createHash("sha256");
    const losses = await trainNano({ steps: 3, sequences: 2, seed: ${seed}, look: async (model) => {
      for (const { variable } of model.variables()) hash.update(new Uint8Array((await variable.data()).slice().buffer));
    } });
    console.log(JSON.stringify(hash.update(Float64Array.from(losses)).digest("hex")));`;
  return (await inProcess(code, { MOELAB_BACKEND: backend })).value as string;
}

// plain JavaScript has one thread and one order of sums, and would take minutes
for (const backend of testedBackends.filter((name) => name !== "cpu")) {
  test(`the same seed gives the same bytes in every process on ${backend}`, async () => {
    const [once, again, other] = [await trained(backend, 1), await trained(backend, 1), await trained(backend, 2)];
    assert.is(once, again);
    assert.is.not(once, other, "the seed has no effect");
  });
}

test.run();
