import { suite } from "uvu";
import * as assert from "uvu/assert";
import { stableRankChange, stableRanks } from "../../sdk/compress/stable-ranks.js";
import { type ExpertMatrices, weightMatching } from "../../sdk/match/weight-matching.js";
import { mSmoe } from "../../sdk/merge/m-smoe.js";
import { similarityMatrix } from "../../sdk/merge/similarity.js";
import { dominantExperts } from "../../sdk/method/dominant-experts.js";
import type { OptionsOf } from "../../sdk/method/options.js";
import { planWith } from "../../sdk/methods.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { withWeightGram } from "../../sdk/profile/gram.js";
import { usage } from "../../sdk/profile/profile.js";
import { withWeightSimilarity } from "../../sdk/profile/weight-similarity.js";
import { ready, Rng, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { type OracleLayer, oracleLayers, profileOf, replay, rowOf, stacked } from "../support/oracle.js";
import { noLeaks } from "../support/tensors.js";

// Values of the official code on tiny random models. 1e-5: float32 sums in another order.
const test = suite("m-smoe against the official code");
await ready();

const found = await oracleLayers("mc-smoe", "switch");
if (found) {
  const { json, tensors, names, ids, layers, tokens, model } = found;
  const [experts, F, D] = layers[ids.get(names[0])!].up.shape;
  const keep: number = json.average_num_groups;
  const profile = await profileOf(model, tokens, layers);

  test("usage and router-logit similarity", () => {
    for (const [name, id] of ids) {
      close(usage(profile.layers[id]), json.usage[name], 1e-6, `usage ${id}`);
      close(similarityMatrix(profile, id, "router-logits", new Rng(0)).flat(),
        json.similarity["router-logits"][name].flat(), 1e-5, `similarity ${id}`);
    }
  });

  test("weight matching to the first expert, exactly", async () => {
    for (const [name, id] of ids) {
      const reference = matrices(layers[id], 0);
      for (let e = 1; e < profile.layers[id].experts; e++) {
        const target = matrices(layers[id], e);
        assert.equal(await weightMatching(reference, target), json.permutation.weight_with_wo[name][e],
          `${id} expert ${e}`);
        tf.dispose([target.up, target.down]);
      }
      tf.dispose([reference.up, reference.down]);
    }
  });

  test("weight matching without the outgoing weights, exactly", async () => {
    for (const [name, id] of ids) {
      const zeros = (matrices: ExpertMatrices) => ({ up: matrices.up, down: tf.tidy(() =>
        tf.zerosLike(matrices.down)
      ) });
      const reference = matrices(layers[id], 0);
      for (let e = 1; e < profile.layers[id].experts; e++) {
        const target = matrices(layers[id], e);
        const [first, second] = [zeros(reference), zeros(target)];
        assert.equal(await weightMatching(first, second), json.permutation.weight_without_wo[name][e],
          `${id} expert ${e}`);
        tf.dispose([target.up, target.down, first.down, second.down]);
      }
      tf.dispose([reference.up, reference.down]);
    }
  });

  test("usage of whole mini-batches: the reference drops an incomplete last one", async () => {
    const key = Object.keys(json).find((key) => key.startsWith("usage_mini_batch_of_"))!;
    const size = Number(key.match(/\d+/));
    for (const [name, id] of ids) {
      const choice = tensors.get(`${name}.expert_index`)!;
      const [rows, T] = choice.shape;
      const whole = choice.values.subarray(0, Math.floor(rows / size) * size * T);
      const counts = new Array<number>(experts).fill(0);
      for (const expert of whole) counts[expert] += 1;
      close(usage({ ...profile.layers[id], counts }), json[key][name], 1e-6, id);
    }
  });

  test("outputs of the layers as they are, and router logits", async () => {
    for (const { id, ffn } of moeLayers(model.spec)) {
      const name = names.find((name) => ids.get(name) === id)!;
      const { event, dispose } = replay(id, ffn, layers[id], tokens(id));
      close(await event.output.data(), tensors.get(`${name}.output`)!.values, 1e-5, `output of ${id}`);
      const logits = tf.tidy(() =>
        tf.matMul(event.input, tf.tensor2d(layers[id].router.values, layers[id].router.shape as [number, number]),
          false, true)
      );
      close(await logits.data(), tensors.get(`${name}.router_logits`)!.values, 1e-5, `logits of ${id}`);
      logits.dispose();
      dispose();
    }
  });

  test("the numbers of parameters before and after", async () => {
    const merged = await applyPlan(model, await planWith(mSmoe, profile, { keep }));
    const stored = (source: { names(): Iterable<string>; info(name: string): { shape: number[] } }) =>
      [...source.names()].filter((name) => name.includes(".experts.")).reduce(
        (sum, name) => sum + source.info(name).shape.reduce((a, b) => a * b, 1),
        0,
      );
    const { parameters_before, parameters_after } = json.merge.normal;
    // the rest of the model is the same before and after
    assert.is(stored(model.weights) - stored(merged.weights), parameters_before - parameters_after);
  });

  test("group counts of every average, ties and unused experts included", () => {
    for (const [average, counts] of Object.entries<Record<string, number>>(json.counts_per_layer_only)) {
      const leaders = dominantExperts([...ids.values()].map((id) => usage(profile.layers[id])), Number(average), {
        excluded: [0],
      });
      assert.equal(leaders.map((row) => row.length), names.map((name) => counts[name]), `average ${average}`);
    }
  });

  /** a setting's name says what it is: "global_k5_encoder_capacity_3", the average being the oracle's unless told */
  const settingOf = (name: string): OptionsOf<typeof mSmoe> => {
    const of = (pattern: RegExp) => Number(name.match(pattern)?.[1]) || undefined;
    const capacity = of(/encoder_capacity_(\d+)/);
    const wide = capacity !== undefined || /all_layers|uniform/.test(name);
    return { keep: of(/_k(\d+)/) ?? keep, ...(wide && { exclude: [] }),
      ...(capacity && { capacity: { encoder: capacity } }),
      ...(name.startsWith("uniform") && { ratio: "uniform", releasedSlip: true }) };
  };
  for (const [setting, grouped] of Object.entries<any>(json.grouping)) {
    if (typeof grouped === "string") {
      test(`groups: ${setting}: a capacity that cannot hold all experts is refused`, async () => {
        assert.match(grouped, "official code refuses");
        const options = settingOf(setting);
        for (const capacity of [options.capacity, (options.capacity as { encoder: number }).encoder])
          await planWith(mSmoe, profile, { ...options, capacity }).then(() => assert.unreachable(), ({ message }) =>
            assert.match(message, /cannot hold/));
      });
      continue;
    }
    test(`groups: ${setting}`, async () => {
      const plan = await planWith(mSmoe, profile, settingOf(setting));
      const { core_experts, labels, num_groups } = grouped;
      for (const [name, id] of ids) {
        if (!plan.layers[id]) {
          // a layer that is left alone: everyone leads a group of one
          assert.is(num_groups[name], experts, id);
          assert.equal(labels[name].map((label: number) => core_experts[name][label]),
            Array.from({ length: experts }, (_, expert) => expert), id);
          continue;
        }
        assert.equal(plan.layers[id].expertOf, labels[name], `${setting} ${id}`);
        assert.equal(plan.layers[id].slots!.map(({ from }) => from[0].expert), core_experts[name], `leaders of ${id}`);
        assert.is(plan.layers[id].slots!.length, num_groups[name], `groups of ${id}`);
      }
    });
  }

  test("merged weights, and outputs of the merged layers on the original inputs", async () => {
    const merged = await applyPlan(model, await planWith(mSmoe, profile, { keep }));
    for (const [name, id] of ids) {
      const { ffn } = moeLayers(merged.spec).find((layer) => layer.id === id)!;
      const { event, dispose } = replay(id, ffn, await stacked(merged.weights, id, ffn.slots.length), tokens(id));
      close(await event.output.data(), tensors.get(`${name}.merged_output`)!.values, 1e-5, `output of ${id}`);
      dispose();
      const groups = tensors.get(`${name}.merged_wi`)!.shape[0];
      // a layer that is left alone: the reference has aligned its experts all the same, which changes no output
      if (groups === experts) continue;
      // the reference stores a group under its lowest member
      assert.equal(json.merge.stored_rows_are_experts[name], Array.from({ length: groups }, (_, slot) =>
        ffn.expertOf.indexOf(slot)), `rows of ${id}`);
      for (let slot = 0; slot < groups; slot++) {
        close(await merged.weights.values(`${id}.experts.${slot}.up`),
          rowOf(tensors.get(`${name}.merged_wi`)!, slot).values, 1e-5, `${id} slot ${slot} up`);
        close(await merged.weights.values(`${id}.experts.${slot}.down`),
          rowOf(tensors.get(`${name}.merged_wo`)!, slot).values, 1e-5, `${id} slot ${slot} down`);
      }
    }
  });

  const variants: [string, OptionsOf<typeof mSmoe>][] = [["plain_mean", { keep, weights: "uniform" }], ["reversed", {
    keep,
    weights: "reversed",
  }], ["unaligned", { keep, align: "none" }], ["permute_inside_group", { keep, alignTo: "lowest" }], [
    "within_and_across_models",
    { keep, align: "zip" },
  ]];
  for (const [variant, options] of variants) {
    test(`variant: ${variant}`, async () => {
      const merged = await applyPlan(model, await planWith(mSmoe, profile, options));
      // the one expert that the oracle holds of each variant: "reversed.decoder.block.5.layer.2.mlp.expert_0.wi"
      const at = [...tensors.keys()].find((key) => key.startsWith(`${variant}.`) && key.endsWith(".wi"))!.slice(0, -3);
      const [, name, number] = at.match(/^[^.]+\.(.+)\.expert_(\d+)$/)!;
      const layer = ids.get(name)!;
      const slot = moeLayers(merged.spec).find(({ id }) => id === layer)!.ffn.expertOf[Number(number)];
      const expert = async (matrix: string) => merged.weights.values(`${layer}.experts.${slot}.${matrix}`);
      const own = neurons(await expert("up"), await expert("down"), F, D);
      const expected = neurons(tensors.get(`${at}.wi`)!.values, tensors.get(`${at}.wo`)!.values, F, D);
      // the order of neurons that "zip" merges follows from the order that they were in before, and means nothing
      if (variant === "within_and_across_models") {
        for (const each of [own, expected])
          each.sort((a, b) => a[0] - b[0]);
      }
      own.forEach((neuron, f) => close(neuron, expected[f], 1e-5, `${variant} neuron ${f}`));
    });
  }

  test("stable ranks before and after", async () => {
    const merged = await applyPlan(model, await planWith(mSmoe, profile, { keep }));
    const [before, after] = [await stableRanks(model.spec, model.weights),
      await stableRanks(merged.spec, merged.weights)];
    const changes = stableRankChange(before, after,
      Object.fromEntries([...ids].slice(1).map(([name, id]) => [id, json.grouping.global.core_experts[name]])));
    for (const [name, id] of ids) {
      const leaders: number[] = json.grouping.global.core_experts[name];
      for (const [matrix, key] of [["up", "wi"], ["down", "wo"]]) {
        // the reference measures the leaders' matrices, and after merging what they have become
        close(leaders.map((e) => before[id][matrix][e]), json.stable_rank[key].before[name], 1e-5,
          `${id} ${matrix} before`);
        close(changes[id] === undefined ? leaders.map((e) => after[id][matrix][e]) : after[id][matrix],
          json.stable_rank[key].after[name], 1e-5, `${id} ${matrix} after`);
      }
      if (changes[id] === undefined) continue; // left alone
      const expected = ["wi", "wo"].flatMap((key) =>
        json.stable_rank[key].after[name].map((rank: number, g: number) =>
          rank / json.stable_rank[key].before[name][g] - 1
        )
      );
      close([changes[id]], [expected.reduce((a: number, b: number) => a + b, 0) / expected.length], 1e-5);
    }
  });

  test("applying leaks no tensor and gives the same bytes twice", async () => {
    const plan = await planWith(mSmoe, profile, { keep });
    await noLeaks(async () => {
      const [once, twice] = [await applyPlan(model, plan), await applyPlan(model, plan)];
      for (const name of once.weights.names())
        assert.equal(await once.weights.values(name), await twice.weights.values(name), name);
      assert.is(await once.weights.fingerprint(), await twice.weights.fingerprint());
      assert.is.not(await once.weights.fingerprint(), plan.for);
    });
  });
}

const mixtral = await oracleLayers("mc-smoe", "mixtral", { topK: 2, normalize: true });
if (mixtral) {
  const { json, tensors, names, layers, tokens, model } = mixtral;
  const profile = await profileOf(model, tokens, layers);

  for (const similarity of ["router-logits", "router-weight", "weight"] as const) {
    test(`mixtral: similarity ${similarity}`, async () => {
      // the reference's script does no alignment, and an expert's own order is what its weights are compared in
      const gram = await withWeightGram(profile, model);
      for (const [index, name] of names.entries()) {
        const id = `layers.${index}`;
        const own = similarity === "weight"
          ? cosinesOf(gram.layers[id]["gram.weight"] as number[][])
          : similarityMatrix(
            similarity === "router-weight" ? await withWeightSimilarity(profile, model, similarity) : profile,
            id,
            similarity,
            new Rng(0),
          );
        close(own.flat(), json.similarity[similarity][name].flat(), 1e-5, `${similarity} ${id}`);
      }
    });
  }

  test("mixtral: outputs of the layers as they are", async () => {
    for (const [index, { id, ffn }] of moeLayers(model.spec).entries()) {
      const { event, dispose } = replay(id, ffn, layers[id], tokens(id));
      close(await event.output.data(), tensors.get(`${names[index]}.output`)!.values, 1e-5, id);
      dispose();
    }
  });

  test("mixtral: usage of both choices, groups, merged weights", async () => {
    const plan = await planWith(mSmoe, profile, { keep: json.average_num_groups, align: "none" });
    const merged = await applyPlan(model, plan);
    for (const [index, name] of names.entries()) {
      const id = `layers.${index}`;
      const { ffn } = moeLayers(merged.spec)[index];
      const { event, dispose } = replay(id, ffn, await stacked(merged.weights, id, ffn.slots.length), tokens(id));
      close(await event.output.data(), tensors.get(`${name}.merged_output`)!.values, 1e-5, `output of ${id}`);
      dispose();
      close(usage(profile.layers[id]), json.usage[name], 1e-6, `usage ${id}`);
      assert.equal(plan.layers[id].expertOf, json.labels[name], id);
      assert.equal(json.stored_rows_are_experts[name], ffn.slots.map((_, slot) => ffn.expertOf.indexOf(slot)), id);
      assert.equal(plan.layers[id].slots!.map(({ from }) => from[0].expert), json.dominant_experts[name], id);
      for (let slot = 0; slot < json.dominant_experts[name].length; slot++) {
        for (const [matrix, key] of [["gate", "w1"], ["up", "w3"], ["down", "w2"]]) {
          close(await merged.weights.values(`${id}.experts.${slot}.${matrix}`),
            rowOf(tensors.get(`${name}.merged_${key}`)!, slot).values, 1e-5, `${id} ${slot} ${matrix}`);
        }
      }
    }
  });
}

/** incoming and outgoing weights of each of F neurons, D each */
function neurons(up: Float32Array, down: Float32Array, F: number, D: number): number[][] {
  return Array.from({ length: F },
    (_, f) => [...up.subarray(f * D, f * D + D), ...Array.from({ length: D }, (_, d) => down[d * F + f])]);
}

/** cosines mapped to [0, 1] from inner products */
function cosinesOf(gram: number[][]): number[][] {
  return gram.map((row, i) =>
    row.map((product, j) => (i === j ? 1 : (product / (Math.sqrt(gram[i][i] * gram[j][j]) + 1e-7) + 1) / 2))
  );
}

function matrices(layer: OracleLayer, e: number): ExpertMatrices {
  const matrix = (stack: { shape: number[]; values: Float32Array }) =>
    tf.tensor2d(rowOf(stack, e).values, rowOf(stack, e).shape as [number, number]);
  return { up: matrix(layer.up), down: matrix(layer.down) };
}

test.run();
