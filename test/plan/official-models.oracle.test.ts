import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mSmoe } from "../../sdk/merge/m-smoe.js";
import { similarityMatrix } from "../../sdk/merge/similarity.js";
import type { OptionsOf } from "../../sdk/method/options.js";
import { planWith } from "../../sdk/methods.js";
import type { Batch } from "../../sdk/model/batch.js";
import { Model } from "../../sdk/model/model.js";
import { moeLayers } from "../../sdk/model/spec.js";
import type { WeightSource } from "../../sdk/model/weight-source.js";
import { from, load } from "../../sdk/pipeline.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import type { Plan } from "../../sdk/plan/plan.js";
import type { SubsetLoss } from "../../sdk/profile/observers/subset-loss.js";
import { withWeightSimilarity } from "../../sdk/profile/weight-similarity.js";
import { ready, Rng } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { MemoryWeights } from "../support/memory-weights.js";
import { officialModel } from "../support/official-model.js";
import { type OracleLayer, profileOf } from "../support/oracle.js";

// What only whole models show: the chain of load, profile, plan and apply on the official code's own models, by their
// logits.
const test = suite("whole models of the official code");
await ready();

interface Stack {
  shape: number[];
  values: Float32Array;
}

/** a row of ids, or of logits, for each sequence */
const rowsOf = ({ shape, values }: Stack): number[][] => {
  const width = shape.at(-1)!;
  return Array.from({ length: values.length / width },
    (_, row) => Array.from(values.subarray(row * width, (row + 1) * width)));
};

/** [B x T][V] */
async function logitsOf(model: Model, batch: Batch): Promise<number[][]> {
  const run = await model.forward(batch);
  const rows = rowsOf({ shape: run.logits.shape, values: Float32Array.from(await run.logits.data()) });
  run.dispose();
  return rows;
}

const logSoftmax = (row: number[], temperature = 1) => {
  const scaled = row.map((value) => value / temperature);
  const top = Math.max(...scaled);
  const total = Math.log(scaled.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return scaled.map((value) => value - top - total);
};
const klSum = (teacher: number[][], student: number[][], temperature = 1) =>
  teacher.reduce((sum, row, at) => {
    const [p, q] = [logSoftmax(row, temperature), logSoftmax(student[at], temperature)];
    return sum + p.reduce((inner, log, v) => inner + Math.exp(log) * (log - q[v]), 0);
  }, 0);

/**
 * What the official code made of its model: logits under a key, the mean KL to the original where padding has no part
 * in it.
 */
interface Made {
  key: string;
  method: string;
  options: object;
  tolerance?: number;
  kl?: number;
}
// the official code averages neurons of fix-dom-same in float16, and two products, a gate and the layers after carry
// that on
const HALF = 5e-3;
const oracles: Record<string, (json: any, keys: string[]) => Made[]> = {
  "mc-smoe/mixtral":
    (json) => [{ key: "merged_logits", method: "m-smoe", options: { keep: json.average_num_groups, align: "none" } }],
  "hc-smoe/mixtral": ({ merge }) =>
    ([["freq", { epsilon: 1e-7 }], ["zipit.act", { result: "zipit" }], ["fix-dom-same.act", { result: "fix-dom-same" },
      HALF], ["fix-dom-same.weight", { result: "fix-dom-same", match: "weight" }, HALF], ["fix-dom-same.act+weight", {
      result: "fix-dom-same",
      match: "act+weight",
    }, HALF]] as [string, object, number?][]).map(([how, options, tolerance]) => ({ key: `merged.${how}.logits_last`,
      method: "hc-smoe", options: { keep: merge.k, ...options }, tolerance, kl: merge.how[how].mean_kl_to_original })
    ),
  "naee/mixtral":
    ({ params }) => [
      ...params.rs.flatMap((keep: number) =>
        ["layerwise", "progressive"].map((procedure) => ({ key: `r${keep}.${procedure}.logits_last`, method: "naee",
          options: { keep, procedure } })
        )
      ),
      { key: "skip.logits_last", method: "dynamic-skipping", options: {} },
    ],
  "reap/mixtral": byCriterion,
  "reap/qwen3moe": byCriterion,
};

function byCriterion(_: unknown, keys: string[]): Made[] {
  return keys.flatMap((key) => {
    const [, criterion, fraction] = key.match(/^(\w+)@([\d.]+)\.logits_last$/) ?? [];
    return criterion
      ? [{ key, method: "reap", options: { keep: 1 - Number(fraction), criterion, ties: "torch" } }]
      : [];
  });
}

for (const [oracle, made] of Object.entries(oracles)) {
  const [folder, name] = oracle.split("/");
  const found = await officialModel(folder, name);
  if (!found) continue;
  const { json, tensors, path } = found;
  const ids = rowsOf(tensors.get("input_ids")!);
  const mask = tensors.has("attention_mask") ? rowsOf(tensors.get("attention_mask")!) : undefined;
  const batch: Batch = { ids, ...(mask && { mask }) };
  /** logits of the last position, where it is no padding */
  const last = (rows: number[][]) =>
    ids.flatMap((row, b) => (mask && !mask[b].at(-1) ? [] : [rows[(b + 1) * row.length - 1]]));
  const expectedLast = (key: string) => rowsOf(tensors.get(key)!).filter((_, b) => !mask || mask[b].at(-1));
  // as the official code called its model
  const size = json.params.batches ? json.params.b : ids.length;
  const calls = Array.from({ length: ids.length / size },
    (_, at) => ({ ids: ids.slice(at * size, (at + 1) * size),
      ...(mask && { mask: mask.slice(at * size, (at + 1) * size) }) }));
  const profiled = await load(path).profile({ data: calls as never });
  const original = await logitsOf(profiled.model, batch);

  test(`${oracle}: logits`, () => {
    close(last(original).flat(), expectedLast(tensors.has("logits") ? "logits" : "logits_last").flat(), 1e-5);
  });

  for (const { key, method, options, tolerance = 1e-5, kl } of made(json, [...tensors.keys()])) {
    test(`${oracle}: ${method} ${JSON.stringify(options)}: logits`, async () => {
      const study = await from(profiled).plan({ method, ...options });
      const { model } = await from(study).apply();
      const logits = await logitsOf(model, batch);
      close(last(logits).flat(), expectedLast(key).flat(), tolerance, "logits");
      if (kl !== undefined) close([klSum(original, logits) / logits.length], [kl], tolerance, "KL to the original");
      // where the oracle holds what led to the plan, of all layers
      const { keep, procedure } = options as { keep?: number; procedure?: string };
      for (const [layer, expected] of procedure
        ? Object.entries<Record<string, number>>(json[`r=${keep} ${procedure}`].losses)
        : []) {
        const { losses } = study.profile!.layers[`layers.${layer}`][
          `subsetLoss${procedure === "progressive" ? ".progressive" : ""}.${keep}`
        ] as SubsetLoss;
        assert.equal(Object.keys(losses), Object.keys(expected));
        close(Object.values(losses), Object.values(expected), 1e-5, `losses of ${layer}`);
        assert.equal(study.plan!.layers[`layers.${layer}`].slots!.map(({ from }) => from[0].expert),
          json[`r=${keep} ${procedure}`].kept[layer], layer);
      }
    });
  }
}

const found = await officialModel("mc-smoe", "switch");
if (found) {
  const { json, tensors, path } = found;
  const labels = rowsOf(tensors.get("labels")!);
  const batch = { ids: rowsOf(tensors.get("input_ids")!), mask: rowsOf(tensors.get("attention_mask")!),
    decoderIds: labels.map((row) => [0, ...row.slice(0, -1)]) };
  const { model } = await load(path);
  const names: string[] = json.moe_layers;
  const nameOf = (id: string) =>
    names.find((name) =>
      name.startsWith(`${id.startsWith("encoder.") ? "en" : "de"}coder.block.${id.split(".").at(-1)}.`)
    )!;
  const layers: Record<string, OracleLayer> = Object.fromEntries(
    moeLayers(model.spec).map(
      ({ id }) => [id, { up: tensors.get(`${nameOf(id)}.wi`)!, down: tensors.get(`${nameOf(id)}.wo`)!,
        router: tensors.get(`${nameOf(id)}.router`)! }]
    ),
  );
  // the official code counts padding as tokens, so that what its plans come from is replayed
  const profile = await profileOf(model,
    (id) => ({ input: tensors.get(`${nameOf(id)}.hidden`)!, logits: tensors.get(`${nameOf(id)}.router_logits`)!,
      choice: tensors.get(`${nameOf(id)}.expert_index`)!.values }), layers);
  const original = await logitsOf(model, batch);

  test("mc-smoe, switch: the loss, and the number of parameters", () => {
    // with the router losses of each stack, padding counted, 0.001 times each
    const logits = (stack: string) =>
      names.filter((name) => name.startsWith(stack)).map((name) => tensors.get(`${name}.router_logits`)!);
    const choices = (stack: string) =>
      names.filter((name) => name.startsWith(stack)).map((name) => tensors.get(`${name}.expert_index`)!);
    const routerLosses = ["encoder", "decoder"].reduce(
      (sum, stack) => sum + zLossOf(logits(stack)) + balanceOf(logits(stack), choices(stack), batch.ids.length),
      0,
    );
    const crossEntropy = labels.flat().reduce((sum, label, at) => sum - logSoftmax(original[at])[label], 0)
      / original.length;
    close([crossEntropy + 0.001 * routerLosses], [json.loss_before], 1e-6);
    assert.is(parametersOf(model.weights), json.merge.normal.parameters_before);
  });

  test("mc-smoe, switch: bringing experts into the order of the first changes no logit", async () => {
    const slotsOf = (experts: number) =>
      Array.from({ length: experts },
        (_, expert) => ({ from: [{ expert, weight: 1 }], align: { by: "weights" as const, to: "first" as const } }));
    const plan: Plan = { version: 1, for: await model.weights.fingerprint(), method: "align", options: {},
      layers: Object.fromEntries(moeLayers(model.spec).map(({ id, ffn }) => [id, { slots: slotsOf(ffn.experts) }])) };
    const aligned = await applyPlan(model, plan);
    assert.is.not(String(await aligned.weights.values(`${moeLayers(model.spec).at(-1)!.id}.experts.1.up`)),
      String(await model.weights.values(`${moeLayers(model.spec).at(-1)!.id}.experts.1.up`)));
    close((await logitsOf(new Model("aligned", aligned.spec, aligned.weights), batch)).flat(), original.flat(), 1e-5);
  });

  const variants: Record<string, Partial<OptionsOf<typeof mSmoe>>> = { normal: {}, reversed: { weights: "reversed" },
    permute_inside_group: { alignTo: "lowest" }, unaligned: { align: "none" },
    within_and_across_models: { align: "zip" } };
  for (const [variant, options] of Object.entries(variants)) {
    test(`mc-smoe, switch: ${variant}: KL to the original`, async () => {
      const merged = await applyPlan(model,
        await planWith(mSmoe, profile, { keep: json.average_num_groups, ...options }));
      const logits = await logitsOf(new Model(variant, merged.spec, merged.weights), batch);
      const { kl_batchmean_T2_to_original: kl, parameters_after } = json.merge[variant];
      // "batchmean" divides by the sequences
      close([klSum(original, logits, 2) / labels.length], [kl], 1e-5, "KL to the original");
      if (parameters_after) assert.is(parametersOf(merged.weights), parameters_after);
    });
  }

  // the official code got no gradients where it ran: what its oracle holds are the similarities of zeros
  for (const similarity of ["gradient", "weight-gradient"] as const) {
    test(`mc-smoe, switch: similarity ${similarity} of gradients that are zero`, async () => {
      const zeros = new MemoryWeights(
        new Map(
          [...model.weights.names()].map(
            (name) => [name, { shape: model.weights.info(name).shape,
              values: new Float32Array(model.weights.info(name).shape.reduce((a, b) => a * b, 1)) }]
          ),
        ),
      );
      const measured = await withWeightSimilarity(profile, model, similarity, { gradients: zeros });
      for (const { id } of moeLayers(model.spec))
        close(similarityMatrix(measured, id, similarity, new Rng(0)).flat(),
          json.similarity[similarity][nameOf(id)].flat(), 1e-5, id);
    });
  }
}

/** mean over tokens of the squared log-sum-exp */
function zLossOf(layers: Stack[]): number {
  const rows = layers.flatMap(rowsOf);
  return rows.reduce((sum, row) => sum + (row[0] - logSoftmax(row)[0]) ** 2, 0) / rows.length;
}

/**
 * E times the sum over experts of the share that chose it and its mean probability, for each sequence over all layers;
 * the mean of sequences
 */
function balanceOf(logits: Stack[], choices: Stack[], sequences: number): number {
  const E = logits[0].shape.at(-1)!;
  let sum = 0;
  for (let b = 0; b < sequences; b++) {
    const of = <T>(rows: T[]) => rows.slice((b * rows.length) / sequences, ((b + 1) * rows.length) / sequences);
    const probabilities = logits.flatMap((layer) => of(rowsOf(layer))).map((row) => logSoftmax(row).map(Math.exp));
    const chosen = choices.flatMap((layer) => of(Array.from(layer.values)));
    for (let e = 0; e < E; e++)
      sum += (chosen.filter((expert) => expert === e).length / chosen.length)
        * (probabilities.reduce((total, row) => total + row[e], 0) / chosen.length);
  }
  return (E * sum) / sequences;
}

function parametersOf(weights: WeightSource): number {
  return [...weights.names()].reduce((sum, name) => sum + weights.info(name).shape.reduce((a, b) => a * b, 1), 0);
}

test.run();
