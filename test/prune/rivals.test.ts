import { suite } from "uvu";
import * as assert from "uvu/assert";
import { keptOverLayers } from "../../sdk/method/kept-over-layers.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { from, load } from "../../sdk/pipeline.js";
import type { Saliency } from "../../sdk/profile/observers/saliency.js";
import { tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

// second, plain implementations from the papers' formulas, over every token of a small model
const test = suite("mone, ream and pooled reap");
const data = [{ ids: [[4, 5, 6, 7, 8, 9, 10, 11], [11, 3, 9, 8, 7, 6, 5, 4], [2, 12, 14, 3, 13, 9, 15, 6]],
  labels: [[5, 6, 7, 8, 9, 10, 11, 3], [3, 9, 8, 7, 6, 5, 4, 5], [12, 14, 3, 13, 9, 15, 6, 1]] }];
const profiled = await load(fixture("models/mixtral")).profile({ data });
const { model } = profiled;
const D = model.spec.width;
const [{ ffn: { experts: E } }] = moeLayers(model.spec);
const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, one) => all + one, 0);
const dot = (a: number[], b: number[]) => sum(a.map((value, i) => value * b[i]));
const cosine = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** what every token of a layer is, and what each expert makes of it */
interface Tokens {
  logits: number[][];
  gates: number[][];
  chosen: number[][];
  outputs: number[][][];
}
async function tokensOf(): Promise<Record<string, Tokens>> {
  const all: Record<string, Tokens> = {};
  await model.sweep(data, { sites: ["moe"], experts: true, async onSite(record) {
    if (record.site !== "moe") return;
    const { spec, weights, input } = record;
    const { singleExpert } = await import("../../sdk/model/expert/moe-block.js");
    const outputs = [];
    for (let e = 0; e < E; e++) {
      const y = singleExpert(e, spec, weights).run(input);
      outputs.push(await y.array() as number[][]);
      y.dispose();
    }
    const soft = tf.softmax(record.logits);
    all[record.layer] = { logits: await record.logits.array(), gates: await soft.array() as number[][],
      chosen: await record.choice.array(), outputs };
    soft.dispose();
  } });
  return all;
}
const layers = await tokensOf();

test("mone: frequency times the length of the deviations; what goes is its mean output", async () => {
  const study = await from(profiled).prune({ method: "mone", keep: 2 });
  for (const [id, { chosen, outputs }] of Object.entries(layers)) {
    const own = Array.from({ length: E }, (_, e) => outputs[e].filter((_, n) => chosen[n].includes(e)));
    const means = own.map((rows) =>
      Array.from({ length: D }, (_, d) => sum(rows.map((y) => y[d])) / Math.max(1, rows.length))
    );
    const score = own.map((
      rows,
      e,
    ) => (rows.length < 2
      ? 0
      : (rows.length / chosen.length)
        * Math.sqrt(sum(means[e].map((mean, d) => sum(rows.map((y) => (y[d] - mean) ** 2)) / (rows.length - 1)))))
    );
    const kept = score.map((_, e) => e).sort((a, b) => score[b] - score[a]).slice(0, 2);
    study.plan!.layers[id].slots!.forEach(({ form }, e) => {
      assert.is(form === undefined, kept.includes(e), `${id} expert ${e}`);
      if (form?.form === "constant") close(form.value, means[e], 1e-5, `${id} vector of ${e}`);
    });
  }
  // where every expert that is used stays, nothing changes
  const same = await from(profiled).prune({ method: "mone", keep: E });
  assert.equal(same.plan!.layers, {});
});

test("ream: groups around the best by reap, of those that are alike, averaged by score; other rows go", async () => {
  const keep = Math.ceil(E / 2);
  const study = await from(profiled).merge({ method: "ream", keep, groupSize: 3, procedure: "layerwise" });
  for (const [id, { logits, gates, chosen, outputs }] of Object.entries(layers)) {
    const N = chosen.length;
    const reap = Array.from({ length: E }, (_, e) => {
      const rows = outputs[e].flatMap((y, n) => (chosen[n].includes(e) ? [gates[n][e] * Math.sqrt(dot(y, y))] : []));
      return sum(rows) / Math.max(1, rows.length);
    });
    const least = Math.min(0.5, ...reap.filter((score) => score > 0));
    const score = reap.map((one) => one || least);
    const means = Array.from({ length: E }, (_, e) =>
      Array.from({ length: D }, (_, d) => sum(outputs[e].map((y, n) => gates[n][e] * y[d])) / N));
    const column = (e: number) => {
      const all = logits.map((row) => row[e]);
      return all.map((value) => value / Math.sqrt(dot(all, all)));
    };
    const distance = (i: number, j: number) => Math.hypot(...column(i).map((value, n) => value - column(j)[n]));
    const farthest = Math.max(...Array.from({ length: E * E }, (_, at) => distance(at % E, Math.floor(at / E))));
    const alike = (i: number, j: number) => ((cosine(means[i], means[j]) + 1) / 2 + 1 - distance(i, j) / farthest) / 2;
    const order = score.map((_, e) => e).sort((a, b) => score[b] - score[a]);
    const leaders = order.slice(0, keep), free = new Set(order.slice(keep));
    const groups = leaders.map((leader) => {
      const group = [leader];
      for (const e of [...free].sort((a, b) => alike(leader, b) - alike(leader, a))) {
        if (group.length >= 3) break;
        group.push(e);
        free.delete(e);
      }
      return group;
    }).sort(([a], [b]) => a - b);
    const { slots, router } = study.plan!.layers[id];
    assert.equal(router!.rows, groups.map(([leader]) => leader));
    slots!.forEach(({ from }, at) => {
      assert.equal(from.map(({ expert }) => expert), groups[at]);
      const total = sum(groups[at].map((e) => score[e]));
      close(from.map(({ weight }) => weight), groups[at].map((e) => score[e] / total), 1e-5, id);
    });
  }
  const error = await rejects(Promise.resolve(from(profiled).merge({ method: "ream", keep: 2, groupSize: 1 })));
  assert.is(error.code, "groups-too-small");
  // layer by layer: the first is as before, a later one sees the merged ones before it
  const sequential = await from(profiled).merge({ method: "ream", keep, groupSize: 3 });
  const [first] = Object.keys(layers);
  assert.equal(sequential.plan!.layers[first], study.plan!.layers[first]);
});

test("reap over all layers: one ranking, and no layer falls below what a token takes", async () => {
  const study = await from(profiled).prune({ method: "reap", keep: 0.5, scope: "model" });
  const ids = Object.keys(layers);
  const scores = ids.map((id) => (study.profile!.layers[id].saliency as Saliency).reap);
  const kept = ids.map((id) =>
    study.plan!.layers[id]?.slots?.map(({ from: [{ expert }] }) => expert!) ?? scores[0].map((_, e) => e)
  );
  assert.is(sum(kept.map(({ length }) => length)), ids.length * Math.ceil(E / 2));
  const topK = 2;
  // the least that stays beyond the two of its layer is above all that go
  const goes = Math.max(...scores.flatMap((row, l) => row.filter((_, e) => !kept[l].includes(e))));
  kept.forEach((row, l) => {
    assert.ok(row.length >= topK);
    const beyond = row.map((e) => scores[l][e]).sort((a, b) => b - a).slice(topK);
    assert.ok(beyond.every((score) => score >= goes));
  });
  assert.equal(keptOverLayers([[3, 1], [5, 4]], [1, 1], [0, 0]), [[], [0, 1]]);
  assert.equal(keptOverLayers([[3, 1], [5, 4]], [1, 1], [1, 1]), [[0], [0]]);
});

test.run();
