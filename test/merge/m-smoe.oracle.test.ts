import { suite } from "uvu";
import * as assert from "uvu/assert";
import { stableRankChange, stableRanks } from "../../sdk/compress/stable-ranks.js";
import { type ExpertMatrices, weightMatching } from "../../sdk/match/weight-matching.js";
import { mSmoe, type MSmoeOptions } from "../../sdk/merge/m-smoe.js";
import { similarityMatrix } from "../../sdk/merge/similarity.js";
import { dominantExperts } from "../../sdk/method/dominant-experts.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { withWeightGram } from "../../sdk/profile/gram.js";
import { usage } from "../../sdk/profile/profile.js";
import { withWeightSimilarity } from "../../sdk/profile/weight-similarity.js";
import { ready, Rng, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { oracle, type OracleLayer, oracleModel, profileOf, replay, rowOf, stacked } from "../support/oracle.js";
import { noLeaks } from "../support/tensors.js";

// Values of the official code on tiny random models. 1e-5: float32 sums in another order.
const test = suite("m-smoe against the official code");
await ready();

const found = await oracle("mc-smoe", "switch");
if (found) {
  const { json, tensors } = found;
  const names: string[] = json.moe_layers;
  /** "encoder.block.3.layer.1.mlp" is the second MoE layer of the encoder */
  const ids = new Map(
    names.map((name) => [name, `${name.startsWith("encoder") ? "encoder." : ""}layers.${
      names.filter((other) => other.slice(0, 7) === name.slice(0, 7)).indexOf(name)
    }`]),
  );
  const layers: Record<string, OracleLayer> = {};
  for (const [name, id] of ids)
    layers[id] = { up: tensors.get(`${name}.wi`)!, down: tensors.get(`${name}.wo`)!,
      router: tensors.get(`${name}.router`)! };
  const model = oracleModel(layers);
  const profile = await profileOf(model, (id) => {
    const name = names.find((name) => ids.get(name) === id)!;
    return { input: tensors.get(`${name}.hidden`)!, logits: tensors.get(`${name}.router_logits`)!,
      choice: tensors.get(`${name}.expert_index`)!.values };
  }, layers);

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
    for (const [name, id] of ids) {
      const choice = tensors.get(`${name}.expert_index`)!;
      const [rows, T] = choice.shape;
      const whole = choice.values.subarray(0, Math.floor(rows / 4) * 4 * T);
      const counts = new Array<number>(8).fill(0);
      for (const expert of whole) counts[expert] += 1;
      close(usage({ ...profile.layers[id], counts }), json.usage_mini_batch_of_4_last_incomplete_dropped[name], 1e-6,
        id);
    }
  });

  test("outputs of the layers as they are, and router logits", async () => {
    for (const { id, ffn } of moeLayers(model.spec)) {
      const name = names.find((name) => ids.get(name) === id)!;
      const { event, dispose } = replay(id, ffn, layers[id], { input: tensors.get(`${name}.hidden`)!,
        logits: tensors.get(`${name}.router_logits`)!, choice: tensors.get(`${name}.expert_index`)!.values });
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
    const merged = await applyPlan(model, await mSmoe.plan(profile, { keep: 3 }));
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

  const settings: Record<string, MSmoeOptions> = {
    global: { keep: 3 },
    global_k2: { keep: 2 },
    global_k4: { keep: 4 },
    global_all_layers: { keep: 3, exclude: [] },
    global_k5_encoder_capacity_3: { keep: 5, exclude: [], capacity: { encoder: 3 } },
    global_k5_encoder_capacity_4: { keep: 5, exclude: [], capacity: { encoder: 4 } },
    uniform_as_released: { keep: 3, exclude: [], ratio: "uniform", releasedSlip: true },
  };
  for (const [setting, options] of Object.entries(settings)) {
    test(`groups: ${setting}`, async () => {
      const plan = await mSmoe.plan(profile, options);
      const { core_experts, labels } = json.grouping[setting];
      for (const [name, id] of ids) {
        if (!plan.layers[id]) {
          // a layer that is left alone: everyone leads a group of one
          assert.is(json.grouping[setting].num_groups[name], 8, id);
          assert.equal(labels[name].map((label: number) => core_experts[name][label]), [0, 1, 2, 3, 4, 5, 6, 7], id);
          continue;
        }
        assert.equal(plan.layers[id].expertOf, labels[name], `${setting} ${id}`);
        assert.equal(plan.layers[id].slots!.map(({ from }) => from[0].expert), core_experts[name], `leaders of ${id}`);
        assert.is(plan.layers[id].slots!.length, json.grouping[setting].num_groups[name], `groups of ${id}`);
      }
    });
  }

  test("a capacity that cannot hold all experts is refused", () => {
    for (const capacity of [3, { encoder: 3 }])
      assert.throws(() => mSmoe.plan(profile, { keep: 4, exclude: [], capacity }), /cannot hold/);
    assert.match(json.grouping.global_k4_encoder_capacity_3, "official code refuses");
  });

  test("merged weights, and outputs of the merged layers on the original inputs", async () => {
    const merged = await applyPlan(model, await mSmoe.plan(profile, { keep: json.average_num_groups }));
    for (const [name, id] of ids) {
      const { ffn } = moeLayers(merged.spec).find((layer) => layer.id === id)!;
      const tokens = { input: tensors.get(`${name}.hidden`)!, logits: tensors.get(`${name}.router_logits`)!,
        choice: tensors.get(`${name}.expert_index`)!.values };
      const { event, dispose } = replay(id, ffn, await stacked(merged.weights, id, ffn.slots.length), tokens);
      close(await event.output.data(), tensors.get(`${name}.merged_output`)!.values, 1e-5, `output of ${id}`);
      dispose();
      const groups = tensors.get(`${name}.merged_wi`)!.shape[0];
      // a layer that is left alone: the reference has aligned its experts all the same, which changes no output
      if (groups === 8) continue;
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

  const variants: [string, MSmoeOptions][] = [["plain_mean", { keep: 3, weights: "uniform" }], ["reversed", { keep: 3,
    weights: "reversed" }], ["unaligned", { keep: 3, align: "none" }], ["permute_inside_group", { keep: 3,
    alignTo: "lowest" }], ["within_and_across_models", { keep: 3, align: "zip" }]];
  for (const [variant, options] of variants) {
    test(`variant: ${variant}`, async () => {
      const merged = await applyPlan(model, await mSmoe.plan(profile, options));
      const layer = "layers.2";
      const slot = moeLayers(merged.spec).find(({ id }) => id === layer)!.ffn.expertOf[0];
      const expert = async (matrix: string) => merged.weights.values(`${layer}.experts.${slot}.${matrix}`);
      const own = neurons(await expert("up"), await expert("down"));
      const [wi, wo] = ["wi", "wo"].map((key) =>
        tensors.get(`${variant}.decoder.block.5.layer.2.mlp.expert_0.${key}`)!.values
      );
      const expected = neurons(wi, wo);
      // the order of neurons that "zip" merges follows from the order that they were in before, and means nothing
      if (variant === "within_and_across_models") {
        for (const each of [own, expected])
          each.sort((a, b) => a[0] - b[0]);
      }
      own.forEach((neuron, f) => close(neuron, expected[f], 1e-5, `${variant} neuron ${f}`));
    });
  }

  test("stable ranks before and after", async () => {
    const merged = await applyPlan(model, await mSmoe.plan(profile, { keep: 3 }));
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
    const plan = await mSmoe.plan(profile, { keep: 3 });
    await noLeaks(async () => {
      const [once, twice] = [await applyPlan(model, plan), await applyPlan(model, plan)];
      for (const name of once.weights.names())
        assert.equal(await once.weights.values(name), await twice.weights.values(name), name);
      assert.is(await once.weights.fingerprint(), await twice.weights.fingerprint());
      assert.is.not(await once.weights.fingerprint(), plan.for);
    });
  });
}

const mixtral = await oracle("mc-smoe", "mixtral");
if (mixtral) {
  const { json, tensors } = mixtral;
  const names: string[] = json.moe_layers;
  const layers: Record<string, OracleLayer> = {};
  names.forEach((name, index) => {
    layers[`layers.${index}`] = { gate: tensors.get(`${name}.w1`)!, up: tensors.get(`${name}.w3`)!,
      down: tensors.get(`${name}.w2`)!, router: tensors.get(`${name}.gate`)! };
  });
  const model = oracleModel(layers, { topK: 2, normalize: true });
  const profile = await profileOf(model, (id) => {
    const name = names[Number(id.split(".")[1])];
    return { input: tensors.get(`${name}.hidden`)!, logits: tensors.get(`${name}.router_logits`)! };
  }, layers);

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
      const { event, dispose } = replay(id, ffn, layers[id], { input: tensors.get(`${names[index]}.hidden`)!,
        logits: tensors.get(`${names[index]}.router_logits`)! });
      close(await event.output.data(), tensors.get(`${names[index]}.output`)!.values, 1e-5, id);
      dispose();
    }
  });

  test("mixtral: usage of both choices, groups, merged weights", async () => {
    const plan = await mSmoe.plan(profile, { keep: json.average_num_groups, align: "none" });
    const merged = await applyPlan(model, plan);
    for (const [index, name] of names.entries()) {
      const id = `layers.${index}`;
      const { ffn } = moeLayers(merged.spec)[index];
      const { event, dispose } = replay(id, ffn, await stacked(merged.weights, id, ffn.slots.length), {
        input: tensors.get(`${name}.hidden`)!,
        logits: tensors.get(`${name}.router_logits`)!,
      });
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

/** incoming and outgoing weights of each of 18 neurons, 10 each */
function neurons(up: Float32Array, down: Float32Array): number[][] {
  return Array.from({ length: 18 },
    (_, f) => [...up.subarray(f * 10, f * 10 + 10), ...Array.from({ length: 10 }, (_, d) => down[d * 18 + f])]);
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
