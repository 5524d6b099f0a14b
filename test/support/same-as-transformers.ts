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
    for (const kase of ["batch", "single"])
      test(`${name}, ${kase}: logits, hidden states and routing are transformers'`, () =>
        noLeaks(() => forwardEqual(folder, kase)));
    test(`${name}: greedy continuations are transformers'`, () => noLeaks(() => greedyEqual(folder)));
    test(`${name}: padding on the left changes nothing`, () => noLeaks(() => leftEqual(folder)));
  }
}

async function forwardEqual(folder: string, kase: string): Promise<void> {
  const { model } = await openModel(folder);
  const expected = await reference(folder);
  const optional = async (tensor: string) => (expected.has(tensor) ? expected.rows(tensor) : undefined);
  const ids = await expected.rows(`${kase}.input_ids`), mask = await expected.rows(`${kase}.attention_mask`);
  const decoderIds = await optional(`${kase}.decoder_input_ids`), tokenTypes = await optional(`${kase}.token_type_ids`);
  const forward = await model.forward({ ids, mask, decoderIds, tokenTypes }, {
    record: { hidden: true, routing: true },
  });
  const realOf = (stack: string) => (stack === "encoder" || !decoderIds ? mask.flat() : undefined);
  await tensorClose(forward.logits, await expected.values(`${kase}.logits`), "logits", { real: realOf("decoder") });

  const prefixOf = (stack: string) => `${kase}.${decoderIds ? `${stack}.` : ""}`;
  for (const stack of ["encoder", "decoder"] as const) {
    const states = forward.hidden[stack];
    if (!states) continue;
    const [prefix, real] = [prefixOf(stack), realOf(stack)];
    for (const [layer, state] of states.layers.entries())
      await tensorClose(state, await expected.values(`${prefix}hidden.${layer}`), `${stack} hidden ${layer}`, {
        relative: 1e-4,
        real,
      });
    const norm = `${prefix}hidden.norm`;
    if (expected.has(norm))
      await tensorClose(states.norm!, await expected.values(norm), `${stack} final norm`, { relative: 1e-4, real });
  }
  const routers = [...Object.entries(forward.routing).map(([layer, routing]) => ({ layer, routing, kind: "router" })),
    ...Object.entries(forward.headRouting).map(([layer, routing]) => ({ layer, routing, kind: "attn.router" }))];
  for (const { layer, routing, kind } of routers) {
    const [stack, index] = layer.startsWith("encoder.") ? ["encoder", layer.slice(15)] : ["decoder", layer.slice(7)];
    const [prefix, real] = [`${prefixOf(stack)}${kind}.${index}`, realOf(stack)];
    await tensorClose(routing.logits, await expected.values(`${prefix}.logits`), `${layer} router logits`, {
      relative: 1e-4,
      real,
    });
    await routingEqual(routing, await expected.values(`${prefix}.ids`), await expected.values(`${prefix}.weights`),
      layer, real);
  }
  assert.is(routers.length,
    expected.names.filter((tensor) => tensor.startsWith(`${kase}.`) && /router\.\d+\.ids$/.test(tensor)).length,
    "number of routers");
  forward.dispose();
  await model.dispose();
  await expected.close();
}

/** The batch with its padding on the left, against transformers where it was asked, else against itself. */
async function leftEqual(folder: string): Promise<void> {
  const { model } = await openModel(folder);
  const expected = await reference(folder);
  const [ids, mask] = [await expected.rows("batch.input_ids"), await expected.rows("batch.attention_mask")];
  const decoderIds = expected.has("batch.decoder_input_ids")
    ? await expected.rows("batch.decoder_input_ids")
    : undefined;
  const shift = (rows: number[][]) =>
    rows.map((row, b) => row.map((_, t) => row.at(t - row.length + mask[b].reduce((sum, real) => sum + real, 0))!));
  const left = { ids: shift(ids), mask: shift(mask), decoderIds };
  if (model.spec.family === "bert")
    await model.forward(left).then(() => assert.unreachable(),
      ({ message }) => assert.match(message, /padded on the left, and family "bert" counts/));
  else {
    const { logits, dispose } = await model.forward(left);
    const [B, T, V] = logits.shape;
    const wanted = expected.has("left.logits")
      ? await expected.values("left.logits")
      : await expected.values("batch.logits");
    if (!expected.has("left.logits") && !decoderIds) {
      const moved = Float32Array.from(wanted);
      left.mask.forEach((row, b) =>
        row.forEach((_, t) =>
          moved.set(
            wanted.subarray((b * T + ((t - T + mask[b].reduce((sum, real) => sum + real, 0) + T) % T)) * V).subarray(0,
              V),
            (b * T + t) * V,
          )
        )
      );
      wanted.set(moved);
    }
    assert.is(wanted.length, B * T * V);
    await tensorClose(logits, wanted, "logits", { real: decoderIds ? undefined : left.mask.flat() });
    dispose();
  }
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
    for (const [row, answer] of answers.entries())
      assert.equal(answer, Array.from(await expected.values(`${kase}.greedy.${row}`)), `${kase} row ${row}`);
  }
  await model.dispose();
  await expected.close();
}

/** Chosen experts as a set by ascending id with their weights; -1 with weight 0 is a token over capacity. */
async function routingEqual(
  routing: { experts: tf.Tensor2D; gates: tf.Tensor2D },
  ids: Float32Array,
  weights: Float32Array,
  layer: string,
  real?: number[],
): Promise<void> {
  const [N, K] = routing.experts.shape;
  const experts = await routing.experts.data(), gates = await routing.gates.data();
  for (let n = 0; n < N; n++) {
    if (real && !real[n]) continue;
    const seen = Array.from({ length: K }, (_, k) => ({ id: experts[n * K + k], gate: gates[n * K + k] })).sort((
      a,
      b,
    ) => a.id - b.id);
    assert.equal(seen.map(({ id }) => id), Array.from(ids.subarray(n * K, (n + 1) * K)),
      `${layer}: experts of token ${n}`);
    seen.forEach(({ gate }, k) =>
      assert.ok(Math.abs(gate - weights[n * K + k]) <= 1e-4,
        `${layer}: gate ${gate} of token ${n}, expected ${weights[n * K + k]}`)
    );
  }
}
