import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hcSmoe } from "../../sdk/merge/hc-smoe.js";
import { closestToCentre, hierarchicalClusters, type Linkage } from "../../sdk/merge/hierarchical-clusters.js";
import { silhouette } from "../../sdk/merge/silhouette.js";
import { type OptionsOf, readOptions } from "../../sdk/method/options.js";
import { planWith } from "../../sdk/methods.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { buildProfile } from "../../sdk/profile/build-profile.js";
import { withWeightGram } from "../../sdk/profile/gram.js";
import { observerNamed } from "../../sdk/profile/observers/named.js";
import { type Profile, usage } from "../../sdk/profile/profile.js";
import { ready } from "../../sdk/tensor/index.js";
import { linkage, type LinkageMethod } from "../../sdk/tensor/linalg/linkage.js";
import { close } from "../support/close.js";
import { oracle, oracleLayers, replay, rowOf, stacked } from "../support/oracle.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("hc-smoe against the official code");
await ready();

const linkageOf: Record<string, Linkage> = { average: "average", single: "single", complete: "released-complete",
  ward: "released-ward" };

const gramOf = (rows: number[][]) =>
  rows.map((a) => rows.map((b) => a.reduce((sum, value, d) => sum + value * b[d], 0)));
const points = await oracle("hc-smoe", "points");
if (points) {
  for (const [name, { labels, closest_to_centre }] of Object.entries<{ labels: number[]; closest_to_centre: number[] }>(
    points.json,
  )) {
    test(`points ${name}`, () => {
      const [set, linkage, count] = name.split("/");
      const { shape, values } = points.tensors.get(set)!;
      const rows = Array.from({ length: shape[0] }, (_, i) =>
        Array.from(values.subarray(i * shape[1], (i + 1) * shape[1])));
      const gram = rows.map((a) => rows.map((b) => a.reduce((sum, value, d) => sum + value * b[d], 0)));
      assert.equal(hierarchicalClusters(gram, Number(count), linkageOf[linkage]), labels);
      for (const expected of closest_to_centre) {
        const members = labels.flatMap((label, i) => (label === labels[expected] ? [i] : []));
        // two members are equally close to their mean, and rounding decides
        if (members.length > 2) assert.is(closestToCentre(gram, members), expected);
      }
    });
  }
}

const found = await oracleLayers("hc-smoe", "mixtral", { topK: 2, normalize: true });
if (found) {
  const { json, tensors, layers, tokens: tokensOf, model } = found;
  const officialName = (id: string) => `model.${id}.block_sparse_moe`;
  let profile: Profile;

  test("statistics: mean outputs over all tokens, usage, routing score", () =>
    noLeaks(async () => {
      const observers = ["usage", "meanOutput", "gram.router-logits", "gateMass"].map((name) => observerNamed(name));
      for (const { id, ffn } of moeLayers(model.spec)) {
        const { event, dispose } = replay(id, ffn, layers[id], tokensOf(id));
        for (const observer of observers) await observer.see(event);
        dispose();
      }
      const measured = buildProfile(observers, {
        model: { id: "mixtral", fingerprint: await model.weights.fingerprint() },
        data: { id: "oracle", fingerprint: "", seed: 0 },
      });
      profile = await withWeightGram(measured, model);
      for (const [id, layer] of Object.entries(profile.layers)) {
        close(layer.meanOutput!.flat(), tensors.get(`${id}.mean_expert_output`)!.values, 1e-5, `mean output ${id}`);
        close(usage(layer), json.usage.frequency[officialName(id)], 1e-6, `usage ${id}`);
        // the reference adds up the mean score of each of its batches
        close((layer.gateMass as number[]).map((mass) => (mass / layer.tokens) * json.params.batches),
          json.usage["routing-score"][officialName(id)], 1e-5, `routing score ${id}`);
      }
    }));

  for (const [key, { labels }] of Object.entries<{ labels: Record<string, number[]> }>(json.clusters)) {
    const [base, linkage, count] = key.split("/");
    if (!Number(count)) continue;
    const centres = json.clusters[key].closest_to_centre;
    test(`clusters ${key}`, async () => {
      const options = { keep: Number(count), base: base === "expert-output" ? "mean-output" : base,
        linkage: linkageOf[linkage] } as OptionsOf<typeof hcSmoe>;
      const plan = await planWith(hcSmoe, profile, options);
      for (const [id, layer] of Object.entries(plan.layers)) {
        assert.equal(layer.expertOf, labels[officialName(id)], `${key} ${id}`);
        layer.slots!.forEach(({ from }, slot) => {
          // two members are equally close to their mean, and rounding decides
          if (from.length !== 2) assert.is(from[0].expert, centres[officialName(id)][slot], `centre of ${key} ${id}`);
          else assert.ok(from.some(({ expert }) => expert === centres[officialName(id)][slot]));
        });
      }
    });
  }

  test("silhouettes, and the count that is best apart", async () => {
    for (const [count, expected] of Object.entries<number[]>(json.silhouette)) {
      moeLayers(model.spec).forEach(({ id }, l) => {
        const gram = gramOf(profile.layers[id].meanOutput!);
        close([silhouette(gram, hierarchicalClusters(gram, Number(count)))], [expected[l]], 1e-5, `${count} ${id}`);
      });
    }
    const { max_clusters, labels, closest_to_centre } = json.clusters["expert-output/average/dynamic-silhouette"];
    const plan = await planWith(hcSmoe, profile, { keep: max_clusters, count: "silhouette" });
    for (const [id, layer] of Object.entries(plan.layers)) {
      assert.equal(layer.expertOf, labels[officialName(id)], id);
      layer.slots!.forEach(({ from }, slot) => {
        if (from.length > 2) assert.is(from[0].expert, closest_to_centre[officialName(id)][slot]);
      });
    }
  });

  // the released code averages in float16: 1/3 is 0.3333
  for (const [how, options, tolerance] of [["fix-dom-same.act", { result: "fix-dom-same" }, 1e-3], [
    "fix-dom-same.weight",
    { result: "fix-dom-same", match: "weight" },
    1e-3,
  ], ["fix-dom-same.act+weight", { result: "fix-dom-same", match: "act+weight" }, 1e-3], ["zipit.act", {
    result: "zipit",
  }, 1e-5]] as [string, Partial<OptionsOf<typeof hcSmoe>>, number][]) {
    test(`${how}: weights, and outputs on the original inputs`, async () => {
      const all: OptionsOf<typeof hcSmoe> = { keep: json.merge.k, ...options };
      const [observer] = await noLeaks(async () => {
        const observers = hcSmoe.observers!(profile, readOptions(hcSmoe, all) as never, model);
        for (const { id, ffn } of moeLayers(model.spec)) {
          const { event, dispose } = replay(id, ffn, layers[id], tokensOf(id));
          for (const observer of observers) await observer.see(event);
          dispose();
        }
        return observers;
      });
      const seen = { ...profile, layers: { ...profile.layers } };
      for (const [id, result] of Object.entries(observer.result()))
        seen.layers[id] = { ...seen.layers[id], [observer.name]: result };
      const merged = await applyPlan(model, await planWith(hcSmoe, seen, all));
      const { id, ffn } = moeLayers(merged.spec).find(({ id }) => tensors.has(`merged.${how}.${id}.w1`))!;
      for (const [matrix, key] of [["gate", "w1"], ["up", "w3"], ["down", "w2"]]) {
        for (let slot = 0; slot < ffn.slots.length; slot++) {
          close(await merged.weights.values(`${id}.experts.${slot}.${matrix}`),
            rowOf(tensors.get(`merged.${how}.${id}.${key}`)!, slot).values, tolerance, `${id} ${slot} ${matrix}`);
        }
      }
      const { event, dispose } = replay(id, ffn, await stacked(merged.weights, id, ffn.slots.length), tokensOf(id));
      // two products and a gate carry the rounding of the weights on
      close(await event.output.data(), tensors.get(`merged.${how}.${id}.output`)!.values, 2 * tolerance,
        `output ${id}`);
      dispose();
    });
  }

  test("textbook linkages equal SciPy's: every join with its height, and the labels", () => {
    for (const [key, { labels, linkage: joins }] of Object.entries<
      { labels: Record<string, number[]>; linkage: number[][] }
    >(json.scipy)) {
      const [name, method] = key.split("/");
      const gram = gramOf(profile.layers[name.replace(/^model\.|\.block_sparse_moe$/g, "")].meanOutput!);
      for (const [count, expected] of Object.entries(labels)) {
        assert.equal(hierarchicalClusters(gram, Number(count), method as Linkage), expected, `${key} ${count}`);
        const released = json.agrees_with_scipy[`${method}/${count}`][Number(/layers\.(\d+)/.exec(name)![1])];
        const asReleased = hierarchicalClusters(gram, Number(count), linkageOf[method]);
        assert.is(JSON.stringify(asReleased) === JSON.stringify(expected), released, `released ${key} ${count}`);
      }
      const distances = Float64Array.from(
        gram.flatMap((row, i) =>
          row.map((product, j) => Math.sqrt(Math.max(0, gram[i][i] + gram[j][j] - 2 * product)))
        ),
      );
      const own = linkage({ rows: gram.length, columns: gram.length, data: distances }, method as LinkageMethod);
      own.forEach(({ a, b, height, size }, join) => {
        assert.equal([a, b, size], [joins[join][0], joins[join][1], joins[join][3]], `${key} join ${join}`);
        close([height], [joins[join][2]], 1e-5, `${key} height ${join}`);
      });
    }
  });

  test("frequency merge: weights, and outputs on the original inputs", async () => {
    const plan = await planWith(hcSmoe, profile, { keep: json.merge.k, epsilon: 1e-7 });
    const merged = await applyPlan(model, plan);
    for (const { id, ffn } of moeLayers(merged.spec)) {
      for (const [matrix, key] of [["gate", "w1"], ["up", "w3"], ["down", "w2"]]) {
        for (let slot = 0; slot < ffn.slots.length; slot++) {
          close(await merged.weights.values(`${id}.experts.${slot}.${matrix}`),
            rowOf(tensors.get(`merged.freq.${id}.${key}`)!, slot).values, 1e-5, `${id} ${slot} ${matrix}`);
        }
      }
      const { event, dispose } = replay(id, ffn, await stacked(merged.weights, id, ffn.slots.length), tokensOf(id));
      close(await event.output.data(), tensors.get(`merged.freq.${id}.output`)!.values, 1e-5, `output ${id}`);
      dispose();
    }
  });
}

test.run();
