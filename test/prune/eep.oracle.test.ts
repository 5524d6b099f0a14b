import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { moeBlock } from "../../sdk/model/expert/moe-block.js";
import { disposeWeights } from "../../sdk/model/held-weights.js";
import { banksOf, readBank, readWeights } from "../../sdk/model/layer-weights.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { blended } from "../../sdk/prune/blended-layer.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { oracleModel, stacked } from "../support/oracle.js";
import { shared } from "../support/shared.js";

const test = suite("eep against the official code");
await ready();

const path = shared("fixtures/oracles/eep/eep.json");
if (path) {
  const { params, config, applied } = JSON.parse(readFileSync(path, "utf8"));
  const store = await openTensors(path.replace("eep.json", "mixtral.safetensors"));
  const read = async (name: string) => ({ shape: store.info(name).shape, values: await store.values(name) });
  const ids: string[] = Array.from({ length: params.layers }, (_, layer) => `layers.${layer}`);
  const layers = Object.fromEntries(
    await Promise.all(ids.map(async (id) =>
      [id, { up: await read(`${id}.w3`), gate: await read(`${id}.w1`), down: await read(`${id}.w2`),
        router: await read(`${id}.router`) }] as const
    )),
  );
  const model = oracleModel(layers, { topK: 2, normalize: true });
  /** "layers.[0-1]" holds layers 0 and 1, "others" the rest */
  const groupOf = (layer: number): string =>
    config.weight_group.find((name: string) => {
      const range = /\[(\d+)-(\d+)\]/.exec(name);
      return range && layer >= Number(range[1]) && layer <= Number(range[2]);
    }) ?? "others";

  for (const [name, coefficients] of Object.entries(applied) as [string, Record<string, number[][]>][]) {
    test(`${name}: merged weights, and outputs on the recorded inputs`, async () => {
      const plan = Object.fromEntries(moeLayers(model.spec).map(({ id, layer, ffn }) => {
        const group = groupOf(layer);
        const map = group === "others" ? "others_transfer" : group.replace("layers", "transfer");
        return [id, blended(ffn, coefficients[group], coefficients[map])];
      }));
      const { spec, weights } = await applyPlan(model, { version: 2, for: await model.weights.fingerprint(),
        method: "eep", options: {}, layers: plan });
      const mixes = moeLayers(spec).filter(({ ffn }) => ffn.router.mix);
      assert.is(mixes.length > 0, name === "real");
      for (const { id, ffn } of moeLayers(spec)) {
        const made = await stacked(weights, id, ffn.slots.length);
        for (const [ours, theirs] of [["gate", "w1"], ["down", "w2"], ["up", "w3"]] as const) {
          const expected = `${name}.${id}.${theirs}`;
          if (store.has(expected)) close(made[ours]!.values, await store.values(expected), 1e-6, expected);
        }
        const held = await readWeights(weights,
          ["router", ...(ffn.router.mix ? ["router.mix"] : [])].map((name) => ({ name, shape: [] })), `${id}.`);
        for (const bank of banksOf(ffn, spec.width))
          for (const [key, tensor] of await readBank(weights, id, ffn, bank, spec.width)) held.set(key, tensor);
        const { shape, values } = await read(`${id}.input`);
        const x = tf.tensor2d(values, shape as [number, number]);
        const y = tf.tidy(() => moeBlock(x, id, ffn, held, { B: 1, T: shape[0], offset: 0, capacity: false }));
        close(await y.data(), await store.values(`${name}.${id}.output_on_original_input`), 1e-5, `${id} output`);
        tf.dispose([x, y]);
        disposeWeights(held);
      }
    });
  }
}
test.run();
