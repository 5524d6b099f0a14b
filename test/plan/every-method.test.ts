import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expectedTensors } from "../../sdk/model/expected-tensors.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { load } from "../../sdk/pipeline.js";
import { methodList } from "../../sdk/stages/method-list.js";
import { exampleOptions } from "../support/example-options.js";
import { fixture } from "../support/shared.js";

// Every method through the chain on real architectures: what it needs is measured, its plan applies, the model
// computes.
const test = suite("every method");
const data = {
  switch_transformers: [{ ids: [[4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4]], decoderIds: [[0, 5, 6, 9], [0, 7, 8, 4]],
    labels: [[5, 6, 9, 7], [7, 8, 4, 5]] }],
  mixtral: [{ ids: [[4, 5, 6, 7, 8, 9, 10, 11], [11, 3, 9, 8, 7, 6, 5, 4]],
    labels: [[5, 6, 7, 8, 9, 10, 11, 3], [3, 9, 8, 7, 6, 5, 4, 5]] }],
  // experts behind a latent projection
  nemotron_h: [{ ids: [[4, 5, 6, 7, 8, 9, 10, 11], [11, 3, 9, 8, 7, 6, 5, 4]],
    labels: [[5, 6, 7, 8, 9, 10, 11, 3], [3, 9, 8, 7, 6, 5, 4, 5]] }],
};

/** sequences can be merged where tokens see later ones */
async function meoOptions(family: string): Promise<object> {
  const { model } = await load(fixture(`models/${family}`));
  const causal = moeLayers(model.spec).filter(({ stack }) => stack === "decoder").map(({ id }) => id);
  return model.spec.encoder ? { exclude: causal } : { level: "task" };
}

for (const [family, batches] of Object.entries(data)) {
  for (const { name, kind } of methodList()) {
    // its layers are one block each, which these do not leave out, and its routers choose with a bias
    if (family === "nemotron_h" && ["eep", "evopress", "depth"].includes(name)) continue;
    if (kind === undefined || (family === "switch_transformers" && name === "dynamic-skipping")) continue; // one expert a token: nothing to skip
    test(`${family}: ${name}`, async () => {
      const options = name === "meo" ? await meoOptions(family) : exampleOptions(name);
      const chain = load(fixture(`models/${family}`)).profile({ data: batches as never });
      const study = await (chain[kind] as unknown as (options: object) => typeof chain).call(chain, { method: name,
        ...options });
      const { spec, weights } = study.model;
      const expected = expectedTensors(spec).map((tensor) => tensor.name);
      assert.equal([...weights.names()].sort(), expected.sort());
      assert.ok(moeLayers(spec).length > 0);
      const { logits } = await study.model.forward(batches[0] as never);
      assert.ok((await logits.data()).every(Number.isFinite));
      logits.dispose();
    });
  }
}

test.run();
