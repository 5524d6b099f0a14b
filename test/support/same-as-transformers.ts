import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import type { tf } from "../../sdk/tensor/index.js";
import { reference, tensorClose } from "./reference.js";
import { fixture } from "./shared.js";
import { noLeaks } from "./tensors.js";

/**
 * Compares models with transformers: logits, hidden states, router logits, choices, gates and greedy continuations.
 * @param root folder of the model folders, each in the form that the fixtures have
 */
export function sameAsTransformers(names: string[], root = fixture("models")): void {
  for (const name of names) {
    const folder = join(root, name);
    for (const kase of ["batch", "single"]) test(`${name}, ${kase}: logits, hidden states and routing are transformers'`, () => noLeaks(() => forwardEqual(folder, kase)));
    test(`${name}: greedy continuations are transformers'`, () => noLeaks(() => greedyEqual(folder)));
  }
}

async function forwardEqual(folder: string, kase: string): Promise<void> {
  const { model } = await openModel(folder);
  const expected = await reference(folder);
  const optional = async (tensor: string) => (expected.has(tensor) ? expected.rows(tensor) : undefined);
  const ids = await expected.rows(`${kase}.input_ids`), mask = await expected.rows(`${kase}.attention_mask`);
  const decoderIds = await optional(`${kase}.decoder_input_ids`), tokenTypes = await optional(`${kase}.token_type_ids`);
  const forward = await model.forward({ ids, mask, decoderIds, tokenTypes }, { record: { hidden: true, routing: true } });
  const realOf = (stack: string) => (stack === "encoder" || !decoderIds ? mask.flat() : undefined);
  await tensorClose(forward.logits, await expected.values(`${kase}.logits`), "logits", { real: realOf("decoder") });

  const prefixOf = (stack: string) => `${kase}.${decoderIds ? `${stack}.` : ""}`;
  for (const stack of ["encoder", "decoder"] as const) {
    const states = forward.hidden[stack];
    if (!states) continue;
    const [prefix, real] = [prefixOf(stack), realOf(stack)];
    for (const [layer, state] of states.layers.entries()) await tensorClose(state, await expected.values(`${prefix}hidden.${layer}`), `${stack} hidden ${layer}`, { relative: 1e-4, real });
    const norm = `${prefix}hidden.norm`;
    if (expected.has(norm)) await tensorClose(states.norm!, await expected.values(norm), `${stack} final norm`, { relative: 1e-4, real });
  }
  const routers = [...Object.entries(forward.routing).map(([layer, routing]) => ({ layer, routing, kind: "router" })), ...Object.entries(forward.headRouting).map(([layer, routing]) => ({ layer, routing, kind: "attn.router" }))];
  for (const { layer, routing, kind } of routers) {
    const [stack, index] = layer.startsWith("encoder.") ? ["encoder", layer.slice(15)] : ["decoder", layer.slice(7)];
    const [prefix, real] = [`${prefixOf(stack)}${kind}.${index}`, realOf(stack)];
    await tensorClose(routing.logits, await expected.values(`${prefix}.logits`), `${layer} router logits`, { relative: 1e-4, real });
    await routingEqual(routing, await expected.values(`${prefix}.ids`), await expected.values(`${prefix}.weights`), layer, real);
  }
  assert.is(routers.length, expected.names.filter((tensor) => tensor.startsWith(`${kase}.`) && /router\.\d+\.ids$/.test(tensor)).length, "number of routers");
  forward.dispose();
  await model.dispose();
  await expected.close();
}

async function greedyEqual(folder: string): Promise<void> {
  const { model } = await openModel(folder);
  const expected = await reference(folder);
  for (const kase of ["batch", "single"]) {
    if (!expected.has(`${kase}.greedy.0`)) continue;
    const ids = await expected.rows(`${kase}.input_ids`), mask = await expected.rows(`${kase}.attention_mask`);
    const answers = await model.generate({ ids, mask }, { maxTokens: 12, stop: [] });
    for (const [row, answer] of answers.entries()) assert.equal(answer, Array.from(await expected.values(`${kase}.greedy.${row}`)), `${kase} row ${row}`);
  }
  await model.dispose();
  await expected.close();
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
