import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as v from "valibot";
import { readReport } from "../../sdk/evaluate/index.js";
import { chainExperiment } from "../../sdk/experiment/chain-experiment.js";
import { differences } from "../../sdk/experiment/differences.js";
import { runUnit } from "../../sdk/experiment/run-unit.js";
import { StudyFileSchema } from "../../sdk/experiment/study-file.js";
import { moe } from "../../sdk/index.js";
import { useBackend } from "../support/backends.js";

test.before(() => useBackend("wasm"));

const tuning = { task: "$task", seed: "$seed", steps: 2, batch: 4, lr: 1e-3 };
const study = v.parse(StudyFileSchema, {
  about: "two arms and a dense model that is trained once",
  let: { tuning,
    small: { model_type: "t5", d_model: 16, d_kv: 8, num_heads: 2, d_ff: 16, num_layers: 1, num_decoder_layers: 1,
      feed_forward_proj: "relu", tie_word_embeddings: true, pad_token_id: 0, eos_token_id: 1,
      decoder_start_token_id: 0 } },
  models: {
    dense: [{ create: { architecture: "$small", tokenizer: "nano-switch", seed: 1 } }, {
      train: { task: "pos", steps: 2, batch: 4 },
    }],
  },
  units: { task: ["pos"], seed: [1, 2] },
  model: [{ load: "$dense" }],
  arms: [{ arm: "dense", keep: [1], chain: ["begun", { train: "$tuning" }, "tuned"] }, { arm: "moe", keep: [1, 2],
    model: [{ load: "$dense" }, { upcycle: { experts: 4, topK: "$keep", seed: "$seed" } }],
    chain: [{ train: "$tuning" }, "tuned"] }, { arm: "merged", keep: [2], model: [{ load: "nano-switch" }],
    chain: [{ profile: { task: "$task", items: 8 } }, { merge: { method: "m-smoe", keep: "$keep" } }, "changed"] }],
  evaluate: { task: "$task", items: 8 },
  measures: {},
  claims: {},
});

test("a recipe's arms are chains; a unit that is run again has the same numbers", async () => {
  const work = mkdtempSync(join(tmpdir(), "chain-"));
  const experiment = chainExperiment("small", study, { models: join(work, "models") });
  assert.equal(experiment.units.map(({ name, regime }) => [name, regime]), [["pos-1", "pos"], ["pos-2", "pos"]]);
  const [unit] = experiment.units;
  assert.equal(experiment.jobs(unit).flatMap(({ keys }) => keys), ["pos dense 1 begun", "pos dense 1 tuned",
    "pos moe 1 tuned", "pos moe 2 tuned", "pos merged 2 changed"]);

  await runUnit(experiment, unit, { folder: join(work, "a"), command: "x" });
  await runUnit(experiment, unit, { folder: join(work, "b"), command: "x" });
  const [a, b] = await Promise.all(["a", "b"].map((folder) => readReport(join(work, folder, "pos-1.json"))));
  assert.is(differences(a, b), "18 of 18 numbers equal");

  // the same chain by hand
  const merged = await moe.load("nano-switch").profile({ task: "pos", items: 8 }).merge({ method: "m-smoe", keep: 2 })
    .evaluate({ task: "pos", items: 8 });
  assert.is(a.results["pos merged 2 changed"]["kl,none"], merged.evaluation!.after.scores[0].metrics.kl.value);
  assert.equal(a.configs["pos merged 2 changed"].parameters, merged.evaluation!.after.cost.parameters.total);
  const about = a.configs["pos moe 2 tuned"];
  assert.equal([about.arm, about.keep, about.stage], ["moe", 2, "tuned"]);
  assert.equal(about.chain, [{ train: { ...tuning, task: "pos", seed: 1 } }]);
  for (const model of new Set([merged.model, merged.original])) await model.dispose();
});

test.run();
