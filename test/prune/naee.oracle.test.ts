import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planWith } from "../../sdk/methods.js";
import { route } from "../../sdk/model/router/route.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { buildProfile } from "../../sdk/profile/build-profile.js";
import type { GateRatio } from "../../sdk/profile/observers/gate-ratio.js";
import { observerNamed } from "../../sdk/profile/observers/named.js";
import { type SubsetLoss, subsetLossObserver } from "../../sdk/profile/observers/subset-loss.js";
import type { Profile } from "../../sdk/profile/profile.js";
import { naee } from "../../sdk/prune/naee.js";
import { dynamicSkipping } from "../../sdk/route/dynamic-skipping.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { oracleLayers, replay, stacked } from "../support/oracle.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("naee against the official code");
await ready();

const found = await oracleLayers("naee", "mixtral", { topK: 2, normalize: true });
if (found) {
  const { json, tensors, layers, tokens: whole, model } = found;
  const { params } = json;
  const experts = layers["layers.0"].up.shape[0];
  const batch = (id: string, index: number) => {
    const cut = ({ shape, values }: { shape: number[]; values: Float32Array }) => {
      const rows = params.b * params.s;
      return { shape: [rows, shape[1]], values: values.slice(index * rows * shape[1], (index + 1) * rows * shape[1]) };
    };
    return { input: cut(whole(id).input), logits: cut(whole(id).logits) };
  };
  let profile: Profile;

  test("statistics leak no tensor", () =>
    noLeaks(async () => {
      const observers = [...params.rs.map((r: number) => observerNamed(`subsetLoss.${r}`)), observerNamed("usage"),
        observerNamed("gateRatio")];
      for (const { id, ffn } of moeLayers(model.spec)) {
        for (let index = 0; index < params.batches; index++) {
          const { event, dispose } = replay(id, ffn, layers[id], batch(id, index));
          for (const observer of observers) await observer.see(event);
          dispose();
        }
      }
      profile = buildProfile(observers, { model: { id: "mixtral", fingerprint: await model.weights.fingerprint() },
        data: { id: "oracle", fingerprint: "", seed: 0 } });
    }));

  test("outputs of the layers as they are", async () => {
    for (const { id, ffn } of moeLayers(model.spec)) {
      const { event, dispose } = replay(id, ffn, layers[id], whole(id));
      close(await event.output.data(), tensors.get(`${id}.output`)!.values, 1e-5, id);
      dispose();
    }
  });

  for (const r of params.rs as number[]) {
    test(`loss of every subset of ${r}, kept sets, outputs`, async () => {
      const expected = json[`r=${r} layerwise`];
      const plan = await planWith(naee, profile, { keep: r });
      const pruned = await applyPlan(model, plan);
      for (const { id, ffn } of moeLayers(pruned.spec)) {
        const layer = id.split(".")[1];
        const { losses } = profile.layers[id][`subsetLoss.${r}`] as SubsetLoss;
        assert.equal(Object.keys(losses), Object.keys(expected.losses[layer]));
        // 1e-5 relative: sums of norms far above 1
        Object.entries<number>(expected.losses[layer]).forEach(([key, loss]) =>
          close([losses[key] / loss], [1], 1e-5, `${id} without ${key}`)
        );
        assert.equal(plan.layers[id].slots!.map(({ from }) => from[0].expert), expected.kept[layer], id);
        const { event, dispose } = replay(id, ffn, await stacked(pruned.weights, id, ffn.slots.length), whole(id));
        close(await event.output.data(), tensors.get(`r${r}.${id}.output_on_original_input`)!.values, 1e-5,
          `output ${id}`);
        dispose();
      }
    });
  }

  test("the progressive loss compares with given outputs", async () => {
    const { event, dispose } = replay("layers.0", moeLayers(model.spec)[0].ffn, layers["layers.0"],
      batch("layers.0", 0));
    const target = tf.zerosLike(event.output);
    const observer = subsetLossObserver({ keep: experts - 1, targets: { "layers.0": [target] } });
    await observer.see(event);
    const norm = tf.tidy(() => tf.norm(event.output));
    const [own] = await norm.data();
    // without an expert that no token chose the output stays, and its distance to zero is its norm
    const chosen = Array.from(await event.choice.data());
    const unused = Array.from({ length: experts }, (_, e) => e).find((e) => !chosen.includes(e));
    if (unused !== undefined) close([observer.result()["layers.0"].losses[String(unused)]], [own], 1e-5);
    assert.is.not(Object.values(observer.result()["layers.0"].losses)[0], 0);
    tf.dispose([target, norm]);
    dispose();
  });

  test("more subsets than allowed are refused", async () => {
    const { event, dispose } = replay("layers.0", moeLayers(model.spec)[0].ffn, layers["layers.0"],
      batch("layers.0", 0));
    try {
      await subsetLossObserver({ keep: experts - 1, maxSubsets: experts - 1 }).see(event);
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code: string }).code, "too-many-subsets");
    }
    dispose();
  });

  test("dynamic skipping: thresholds, share of skipped tokens, outputs", async () => {
    const plan = await planWith(dynamicSkipping, profile, {});
    const skipping = await applyPlan(model, plan);
    for (const { id, ffn } of moeLayers(skipping.spec)) {
      const layer = id.split(".")[1];
      const { median, mean } = profile.layers[id].gateRatio as GateRatio;
      close([median, mean], [json.dynamic_skipping.median_used_as_beta[layer], json.dynamic_skipping.mean[layer]], 1e-5,
        id);
      const { event, dispose } = replay(id, ffn, layers[id], whole(id));
      const { choice, gates, output } = tf.tidy(() => {
        const { choice, gates } = route(event.logits, ffn.router, { B: 1, T: event.input.shape[0], offset: 0,
          capacity: false });
        const weights = tf.sum(tf.mul(tf.oneHot(choice, ffn.experts), tf.expandDims(gates, -1)), 1);
        const outputs = tf.stack(ffn.expertOf.map((slot) => event.expert(slot).run(event.input)), 1);
        return { choice, gates, output: tf.matMul(tf.expandDims(weights, 1), outputs) };
      });
      const chosen = await choice.data();
      const skipped = chosen.filter((expert, i) => i % 2 === 1 && expert < 0).length;
      assert.is(skipped / (chosen.length / 2), json.dynamic_skipping.skipped_share[layer]);
      close(await output.data(), tensors.get(`skip.${id}.output_on_original_input`)!.values, 1e-5, `output ${id}`);
      tf.dispose([choice, gates, output]);
      dispose();
    }
  });
}

test.run();
