import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { tf } from "../../sdk/tensor/index.js";
import { reference, tensorClose } from "../support/reference.js";
import { fixture } from "../support/shared.js";
import { noLeaks } from "../support/tensors.js";

const check = (name: string, run: () => Promise<void>) => test(name, () => noLeaks(run));

const families = ["switch_transformers", "mixtral", "mixtral_sharded"];

for (const name of families) {
  for (const kase of ["batch", "single"]) {
    check(`${name}, ${kase}: logits, hidden states and routing are transformers'`, async () => {
      const { model } = await openModel(fixture(`models/${name}`));
      const expected = await reference(name);
      const ids = await expected.rows(`${kase}.input_ids`), mask = await expected.rows(`${kase}.attention_mask`);
      const decoderIds = expected.has(`${kase}.decoder_input_ids`) ? await expected.rows(`${kase}.decoder_input_ids`) : undefined;
      const forward = await model.forward({ ids, mask, decoderIds }, { record: { hidden: true, routing: true } });
      const decoderReal = decoderIds ? undefined : mask.flat();
      await tensorClose(forward.logits, await expected.values(`${kase}.logits`), "logits", { real: decoderReal });

      for (const stack of ["encoder", "decoder"] as const) {
        const states = forward.hidden[stack];
        if (!states) continue;
        const prefix = `${kase}.${decoderIds ? `${stack}.` : ""}`;
        const real = stack === "encoder" || !decoderIds ? mask.flat() : undefined;
        for (const [layer, state] of states.layers.entries()) await tensorClose(state, await expected.values(`${prefix}hidden.${layer}`), `${stack} hidden ${layer}`, { relative: 1e-4, real });
        await tensorClose(states.norm!, await expected.values(`${prefix}hidden.norm`), `${stack} final norm`, { relative: 1e-4, real });
      }
      for (const [layer, routing] of Object.entries(forward.routing)) {
        const [stack, index] = layer.startsWith("encoder.") ? ["encoder", layer.slice(15)] : ["decoder", layer.slice(7)];
        const prefix = `${kase}.${decoderIds ? `${stack}.` : ""}`;
        const real = stack === "encoder" || !decoderIds ? mask.flat() : undefined;
        await tensorClose(routing.logits, await expected.values(`${prefix}router.${index}.logits`), `${layer} router logits`, { relative: 1e-4, real });
        await routingEqual(routing, await expected.values(`${prefix}router.${index}.ids`), await expected.values(`${prefix}router.${index}.weights`), layer, real);
      }
      forward.dispose();
      await model.dispose();
      await expected.close();
    });
  }

  check(`${name}: greedy continuations are transformers'`, async () => {
    const { model } = await openModel(fixture(`models/${name}`));
    const expected = await reference(name);
    for (const kase of ["batch", "single"]) {
      const ids = await expected.rows(`${kase}.input_ids`), mask = await expected.rows(`${kase}.attention_mask`);
      const answers = await model.generate({ ids, mask }, { maxTokens: 12, stop: [] });
      for (const [row, answer] of answers.entries()) assert.equal(answer, Array.from(await expected.values(`${kase}.greedy.${row}`)), `${kase} row ${row}`);
    }
    await model.dispose();
    await expected.close();
  });
}

/** Chosen experts as a set by ascending id with their weights; -1 with weight 0 is a token over capacity. */
async function routingEqual(routing: { experts: tf.Tensor2D; gates: tf.Tensor2D }, ids: Float32Array, weights: Float32Array, layer: string, real?: number[]): Promise<void> {
  const [N, K] = routing.experts.shape;
  const experts = await routing.experts.data(), gates = await routing.gates.data();
  for (let n = 0; n < N; n++) {
    if (real && !real[n]) continue;
    const seen = Array.from({ length: K }, (_, k) => ({ id: experts[n * K + k], gate: gates[n * K + k] })).sort((a, b) => a.id - b.id);
    assert.equal(seen.map(({ id }) => id), Array.from(ids.subarray(n * K, (n + 1) * K)), `${layer}: experts of token ${n}`);
    seen.forEach(({ gate }, k) => assert.ok(Math.abs(gate - weights[n * K + k]) <= 1e-4, `${layer}: gate ${gate} of token ${n}, expected ${weights[n * K + k]}`));
  }
}

test.run();
