import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { Model } from "../../sdk/model/model.js";
import { applyPlan } from "../../sdk/plan/apply.js";
import { testedBackends, useBackend } from "../support/backends.js";
import { close } from "../support/close.js";
import { randomLayers, randomRest } from "../support/random-plan.js";
import { fixture } from "../support/shared.js";

// Whatever a plan says within the rules can be done to a model: it runs, and what is saved opens again as it was.
const RUNS = 15;
// a decoder with gates, an encoder-decoder with capacity and a shared bias table, biases everywhere, 16-bit weights
const models = ["mixtral", "switch_transformers", "gpt_oss", "olmoe_bf16"];

async function logitsOf(model: Model): Promise<Float32Array> {
  const ids = [[5, 9, 2, 31, 7, 64, 12, 3], [8, 1, 44, 21, 17, 60, 33, 0]];
  const mask = ids.map((row) => row.map((_, at) => Number(row !== ids[1] || at < 7)));
  const run = await model.forward({ ids, mask, ...(model.spec.encoder && { decoderIds: [[0, 4, 8], [0, 7, 1]] }) });
  const values = Float32Array.from(await run.logits.data());
  run.dispose();
  return values;
}

for (const backend of testedBackends) {
  const test = suite(`any valid plan with ${backend}`);
  test.before(() => useBackend(backend));
  for (const name of models) {
    for (const version of [1, 2] as const) {
      test(`${name}: version ${version} applies, runs, saves, reopens with the same logits`, async () => {
        const opened = await openModel(fixture(`models/${name}`));
        const folder = mkdtempSync(join(tmpdir(), "moelab-plan-"));
        const fingerprint = await opened.model.weights.fingerprint();
        let at = 0;
        await fc.assert(
          fc.asyncProperty(version === 1
            ? randomLayers(opened.model.spec).map((layers) => ({ layers }))
            : randomRest(opened.model.spec, name === "gpt_oss"), async (changes) => {
            const plan = JSON.parse(
              JSON.stringify({ version, for: fingerprint, method: "random", options: {}, layers: {}, ...changes }),
            );
            const applied = await applyPlan(opened.model, plan);
            const changed = new Model("changed", applied.spec, applied.weights);
            const out = join(folder, `${at++}`);
            try {
              const logits = await logitsOf(changed);
              assert.ok(logits.every(Number.isFinite), "a logit is no number");
              await saveModel(out, changed, { config: opened.config, family: opened.family, original: opened.store,
                filesFrom: opened.folder });
              const again = await openModel(out);
              try {
                close(await logitsOf(again.model), logits, 1e-5, "logits");
              } finally {
                await again.model.dispose();
              }
            } finally {
              await changed.dispose();
              rmSync(out, { recursive: true, force: true });
            }
          }),
          { numRuns: RUNS, seed: 17, endOnFailure: true, includeErrorInReport: true },
        ).finally(() => rmSync(folder, { recursive: true, force: true }));
        await opened.model.dispose();
      });
    }
  }
  test.run();
}
