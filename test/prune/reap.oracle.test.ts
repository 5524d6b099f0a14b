import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { OptionsOf } from "../../sdk/method/options.js";
import { planWith } from "../../sdk/methods.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { buildProfile } from "../../sdk/profile/build-profile.js";
import { meanOutputObserver } from "../../sdk/profile/observers/mean-output.js";
import { observerNamed } from "../../sdk/profile/observers/named.js";
import { saliencyObserver } from "../../sdk/profile/observers/saliency.js";
import { usageObserver } from "../../sdk/profile/observers/usage.js";
import { reap } from "../../sdk/prune/reap.js";
import { ready } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { oracleLayers, replay, stacked } from "../support/oracle.js";
import { noLeaks } from "../support/tensors.js";

// Values of the official code. 1e-5 relative: float32 sums in another order.
const test = suite("reap against the official code");
await ready();

const criteria: Record<string, OptionsOf<typeof reap>["criterion"]> = {
  reap: "reap",
  ean_sum: "eanSum",
  ean_mean: "eanMean",
  weighted_ean_sum: "weightedEanSum",
  ean_ca: "eanCa",
  weighted_expert_frequency_sum: "weightedFrequency",
  max_activations: "maxActivation",
  frequency: "frequency",
};

for (const name of ["qwen3moe", "mixtral"]) {
  const found = await oracleLayers("reap", name, { topK: 2, normalize: true });
  if (!found) continue;
  const { json, tensors, layers, tokens, model } = found;
  const mask = Array.from(tensors.get("attention_mask")!.values);
  const tokensOf = (id: string, masked: boolean, [from, to] = [0, mask.length]) => {
    const keep = (stack: { shape: number[]; values: Float32Array }) => {
      const width = stack.shape.at(-1)!;
      const rows = mask.flatMap((real, row) => ((real || !masked) && row >= from && row < to ? [row] : []));
      return { shape: [rows.length, width], values: Float32Array.from(rows.flatMap((row) =>
        Array.from(stack.values.subarray(row * width, (row + 1) * width))
      )) };
    };
    const { input, logits } = tokens(id);
    return { input: keep(input), logits: keep(logits) };
  };
  const observe = async (masked: boolean, renormalised: boolean) => {
    const observers = [usageObserver(), saliencyObserver({ renormalised }), meanOutputObserver(),
      ...["routedMeanOutput", "similarity.output", "similarity.output.routed"].map((statistic) =>
        observerNamed(statistic)
      )];
    for (const { id, ffn } of moeLayers(model.spec)) {
      const { event, dispose } = replay(id, ffn, layers[id], tokensOf(id, masked));
      for (const observer of observers)
        await observer.see(event);
      dispose();
    }
    return buildProfile(observers, { model: { id: name, fingerprint: await model.weights.fingerprint() },
      data: { id: "oracle", fingerprint: "", seed: 0 } });
  };

  for (const [setting, masked, renormalised] of [["default", false, false], ["masked", true, false], [
    "masked_renormalised",
    true,
    true,
  ]] as const) {
    test(`${name}: every criterion, ${setting}`, async () => {
      const profile = await noLeaks(() =>
        observe(masked, renormalised)
      );
      for (const [index, expected] of Object.entries<Record<string, never>>(json.observer[setting])) {
        const layer = profile.layers[`layers.${index}`];
        assert.is(layer.tokens, expected.total_tokens);
        assert.equal(layer.counts, expected.expert_frequency);
        for (const [key, criterion] of Object.entries(criteria)) {
          if (expected[key] !== undefined)
            close((layer.saliency as Record<string, number[]>)[criterion!], expected[key], 1e-5,
              `${setting} ${key} layer ${index}`);
        }
        close(layer.meanOutput!.flat(), (expected.characteristic_activation as number[][]).flat(), 1e-5, "mean output");
        close((layer.routedMeanOutput as number[][]).flat(),
          (expected.routed_characteristic_activation as number[][]).flat(), 1e-5, "routed mean output");
        // the reference keeps distances, 1 - cosine
        const distances = (similarity: unknown) => (similarity as number[][]).flat().map((value) => 2 - 2 * value);
        close(distances(layer["similarity.output"]),
          (expected.online_characteristic_activation_dist as number[][]).flat(), 1e-5, "distance of outputs");
        close(distances(layer["similarity.output.routed"]), (expected.ttm_similarity_matrix as number[][]).flat(), 1e-5,
          "token-to-token matching");
      }
    });
  }

  for (const [setting, masked] of [["default", false], ["masked", true], ["masked_renormalised", true]] as const) {
    test(
      `${name}: router-logit distances, ${setting}: a mean over the reference's forward calls, weighed by ` + "tokens",
      async () => {
        const { b, s, batches } = json.params;
        for (const [index, { router_logit_similiarity: expected }] of Object.entries<
          { router_logit_similiarity: number[][] }
        >(json.observer[setting])) {
          const { id, ffn } = moeLayers(model.spec)[Number(index)];
          const mean = new Array<number>(ffn.experts ** 2).fill(0);
          let seen = 0;
          for (let batch = 0; batch < batches; batch++) {
            const { event, dispose } = replay(id, ffn, layers[id],
              tokensOf(id, masked, [batch * b * s, (batch + 1) * b * s]));
            const observer = observerNamed("routerLogits");
            await observer.see(event);
            const N = event.input.shape[0];
            (observer.result() as Record<string, number[][]>)[id].flat().forEach((
              cosine,
              at,
            ) => (mean[at] += (1 - cosine) * N));
            seen += N;
            dispose();
          }
          close(mean.map((value) => value / seen), expected.flat(), 1e-5, `${id}`);
        }
      },
    );
  }

  test(`${name}: outputs of the layers as they are`, async () => {
    for (const { id, ffn } of moeLayers(model.spec)) {
      const { event, dispose } = replay(id, ffn, layers[id], tokensOf(id, false));
      close(await event.output.data(), tensors.get(`${id}.output`)!.values, 1e-5, id);
      dispose();
    }
  });

  test(`${name}: pruned sets, and outputs of the pruned layers on the original inputs`, async () => {
    const profile = await observe(true, false); // the reference pruned by what it saw without padding
    for (const [key, { kept, n_experts_to_prune: dropped }] of Object.entries<
      { kept: Record<string, number[]>; n_experts_to_prune: number }
    >(json.pruned)) {
      const [metric, fraction] = key.split("@");
      const plan = await planWith(reap, profile, { keep: 1 - Number(fraction), criterion: criteria[metric],
        ties: "torch" });
      Object.values(plan.layers).forEach(({ slots }, l) =>
        assert.equal(slots!.map(({ from }) => from[0].expert), kept[l], `${key} layer ${l}`)
      );
      assert.is(Object.values(plan.layers)[0].router!.mask!.length, dropped, key);
      const pruned = await applyPlan(model, plan);
      for (const { id, ffn } of moeLayers(pruned.spec)) {
        const expected = tensors.get(`${key}.${id}.output_on_original_input`);
        if (!expected) continue;
        const { event, dispose } = replay(id, ffn, await stacked(pruned.weights, id, ffn.slots.length),
          tokensOf(id, false));
        close(await event.output.data(), expected.values, 1e-5, `${key} ${id}`);
        dispose();
      }
    }
  });
}

test.run();
