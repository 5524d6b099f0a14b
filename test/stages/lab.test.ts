import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scoreTask } from "../../sdk/evaluate/index.js";
import { TopLogits } from "../../sdk/evaluate/top-logits.js";
import type { Changes } from "../../sdk/method/changes.js";
import { Model } from "../../sdk/model/model.js";
import { layerIds } from "../../sdk/model/spec.js";
import { from, load } from "../../sdk/pipeline.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { keepExperts } from "../../sdk/prune/keep-experts.js";
import { StudyLab } from "../../sdk/stages/lab.js";
import { drawsOf } from "../../sdk/tensor/draws.js";
import { ready, Rng, tf } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("lab");
await ready();

const rng = new Rng(5);
const windows = Array.from({ length: 6 }, () => Array.from({ length: 13 }, () => 2 + rng.int(30)));
const text = [windows.slice(0, 4), windows.slice(4)].map((rows) => ({ ids: rows.map((row) => row.slice(0, -1)),
  labels: rows.map((row) => row.slice(1)) })
);
const answers = [{ ids: [[4, 5, 6, 0], [7, 8, 9, 3]], mask: [[1, 1, 1, 0], [1, 1, 1, 1]], decoderIds: [[0, 7], [0, 9]],
  labels: [[7, 1], [9, -1]] }, { ids: [[4, 9]], mask: [[1, 1]], decoderIds: [[0]], labels: [[5]] }];
const about = { method: "test", options: {} };

/** the same numbers without anything kept */
async function plainly(model: Model, changes: Changes, batches: typeof text) {
  const planned = await applyPlan(model, { version: 2, for: await model.weights.fingerprint(), method: "t", options: {},
    ...changes });
  const changed = new Model("changed", planned.spec, planned.weights);
  const scores = await scoreTask(changed, batches, { teacher: model });
  await changed.dispose();
  return { kl: scores.kl!.value, nll: scores.nll.value, error: 1 - scores.exact_match.value };
}

for (const [name, data] of [["mixtral", text], ["switch_transformers", answers]] as const) {
  test(`${name}: scores are those of the changed model, whatever was kept from candidates before`, async () => {
    const study = await load(fixture(`models/${name}`)).profile({ data: data as never });
    const { model } = study;
    const lab = new StudyLab(study.state, about);
    const all = lab.sample(undefined, drawsOf(rng));
    const layers = layerIds(model.spec).filter((id) => study.profile!.layers[id]);
    const E = study.profile!.layers[layers[0]].experts;
    const candidates: Changes[] = [];
    for (let at = 0; at < 12; at++) {
      const chosen = layers.filter(() => rng.next() < 0.6);
      candidates.push({
        layers: Object.fromEntries(
          chosen.map((id) => [id, keepExperts(rng.shuffle([...Array(E).keys()]).slice(0, 2 + rng.int(E - 2)), E)]),
        ),
      });
    }
    candidates.push(candidates[3], { layers: { [layers.at(-1)!]: { drop: ["ffn"] } } },
      ...layerIds(model.spec).map((id): Changes => ({ layers: { [id]: { drop: ["attention"] } } })));
    for (const [at, changes] of candidates.entries()) {
      const expected = await plainly(model, changes, data as never);
      for (const metric of ["kl", "nll", "error"] as const)
        close([await lab.score(changes, all, metric)], [expected[metric]], 1e-5, `${metric} of candidate ${at}`);
    }
    await lab.close();
  });
}

test("a sample counts exactly its tokens, and each item once", async () => {
  const study = await load(fixture("models/mixtral")).profile({ data: text });
  const lab = new StudyLab(study.state, about);
  const sample = lab.sample(30, drawsOf(new Rng(1)));
  assert.is(sample.tokens, 30);
  assert.is(sample.items.length, 3);
  assert.is(new Set(sample.items).size, 3);
  const changes: Changes = { layers: { "layers.0": { drop: ["attention"] } } };
  const labels = sample.items.map((item, at) =>
    windows[item].slice(1).map((label, t) => (at * 12 + t < 30 ? label : -1))
  );
  const expected = await plainly(study.model, changes, [{ ids: sample.items.map((item) => windows[item].slice(0, -1)),
    labels }]);
  close([await lab.score(changes, sample, "kl")], [expected.kl], 1e-5, "kl");
  const error = await rejects(Promise.resolve().then(() => lab.sample(1000, drawsOf(rng))));
  assert.is(error.code, "too-few-tokens");
  await lab.close();
});

test("the largest logits alone: both sides renormalised over them", async () => {
  const [p, q] = [[3, 1, 2, 0, 2], [1, 2, 0, 3, 1]];
  const [teacher, student] = [tf.tensor2d([p]), tf.tensor2d([q])];
  const top = [0, 2, 4];
  const norm = (row: number[]) => {
    const total = top.reduce((sum, id) => sum + Math.exp(row[id]), 0);
    return top.map((id) => Math.exp(row[id]) / total);
  };
  const [a, b] = [norm(p), norm(q)];
  close(await (await TopLogits.of(teacher, 3)).kl(student), [
    a.reduce((sum, value, at) => sum + value * Math.log(value / b[at]), 0),
  ], 1e-6, "kl");
  assert.ok((await (await TopLogits.of(teacher, 3)).kl(teacher))[0] < 1e-6);
  tf.dispose([teacher, student]);
});

test("a search that was stopped goes on from the scores that it paid for, to the same plan", async () => {
  const profiled = await load(fixture("models/mixtral")).profile({ data: text });
  const options = { method: "eep", keep: 3, initial: 4, pruning: 8, merging: 12, score: "kl", seed: 3 } as const;
  const whole = await from(profiled).prune(options);
  const state = await mkdtemp(join(tmpdir(), "moelab-search-"));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 60);
  const error = await rejects(Promise.resolve(from(profiled).prune({ ...options, state, signal: stop.signal })));
  assert.is(error.code, "aborted");
  const again = await from(profiled).prune({ ...options, state });
  assert.equal(again.plan!.layers, whole.plan!.layers);
  assert.equal((await readdir(state)).filter((name) => name.endsWith(".json")), ["moelab-search.json"]);
  const other = await rejects(Promise.resolve(from(profiled).prune({ ...options, keep: 4, state })));
  assert.is(other.code, "state-of-another-run");
});

test.run();
