import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { initializerFromConfig, specFromConfig } from "../../sdk/checkpoint/family.js";
import { expectedTensors } from "../../sdk/model/expected-tensors.js";
import { initialize } from "../../sdk/model/initialize.js";
import { Model } from "../../sdk/model/model.js";
import { Rng } from "../../sdk/tensor/index.js";
import { rejects } from "../support/rejects.js";
import { spread } from "../support/spread.js";
import { test } from "../support/uvu.js";

/** of new models of transformers, see `.ci/new-models.py` */
const theirs: Record<string,
  { logits: [deviation: number, loss: number]; weights: Record<string, [number, number, number]> }> = JSON.parse(
    readFileSync("test/fixtures/initial-deviations.json", "utf8"),
  );

async function created(name: string) {
  const config = JSON.parse(readFileSync(join("test/fixtures/models", name, "config.json"), "utf8"));
  for (const key of ["initializer_range", "initializer_factor", "init_std"]) delete config[key];
  const spec = await specFromConfig(config);
  return { spec, weights: initialize(spec, new Rng(name), await initializerFromConfig(config)) };
}

/** the first logits of the input that theirs were computed from */
async function first(name: string) {
  const { spec, weights } = await created(name);
  const model = new Model(name, spec, weights);
  const ids = Array.from({ length: 4 },
    (_, row) => Array.from({ length: 16 }, (_, t) => (row * 16 + t) * 7 % spec.vocab));
  const run = await model.forward(
    spec.encoder && spec.decoder.layers.some(({ cross }) => cross) ? { ids, decoderIds: ids } : { ids },
  );
  const logits = Array.from(await run.logits.data());
  run.dispose();
  await model.dispose();
  const V = spec.vocab;
  const rows = Array.from({ length: logits.length / V }, (_, row) => logits.slice(row * V, (row + 1) * V));
  const mean = logits.reduce((sum, x) => sum + x, 0) / logits.length;
  const targets = ids.flatMap((row, r) => ids.flat().slice(r * 16 + 1, r * 16 + 17).concat(r === 3 ? ids[0][0] : []));
  const loss =
    rows.reduce((sum, row, i) => sum + Math.log(row.reduce((all, x) => all + Math.exp(x), 0)) - row[targets[i]], 0)
    / rows.length;
  return { deviation: Math.sqrt(logits.reduce((sum, x) => sum + (x - mean) ** 2, 0) / logits.length), loss, V };
}

for (const [name, { weights }] of Object.entries(theirs)) {
  test(`${name}: weights of each kind are spread as in a new model of transformers`, async () => {
    const { spec, weights: own } = await created(name);
    const ours = await spread(expectedTensors(spec), own);
    assert.equal(Object.keys(ours), Object.keys(weights));
    for (const [kind, [mean, deviation, count]] of Object.entries(weights)) {
      // five standard errors of the difference of two estimates, and the row of zeros that padding has there
      const close = (a: number, b: number, error: number) => Math.abs(a - b) <= 5 * Math.SQRT2 * error + 1e-6;
      const said = `${kind}: ${ours[kind].join(" ± ")}, there ${mean} ± ${deviation}`;
      assert.ok(close(ours[kind][0], mean, deviation / Math.sqrt(count)), said);
      assert.ok(close(ours[kind][1], deviation, deviation / Math.sqrt(2 * count) + 0.002 * deviation), said);
    }
  });
}

for (const name of ["mixtral", "gpt2", "granitemoe", "qwen3_next", "jamba", "switch_transformers"]) {
  test(`${name}: the first logits are spread as there, the first loss is near the logarithm of the vocabulary`, async () => {
    const { deviation, loss, V } = await first(name);
    const [theirDeviation, theirLoss] = theirs[name].logits;
    assert.ok(Math.abs(deviation / theirDeviation - 1) < 0.15, `${deviation}, there ${theirDeviation}`);
    // half the variance of the logits lies above a uniform guess
    const expected = Math.log(V) + theirDeviation ** 2 / 2;
    for (const one of [loss, theirLoss])
      assert.ok(Math.abs(one - expected) < 0.05 + 0.2 * theirDeviation, `${one}, expected ${expected}`);
  });
}

test("what a configuration says of the spread counts, and a spread that is none is refused", async () => {
  const gpt2 = { model_type: "gpt2", n_layer: 8, initializer_range: 0.4 };
  assert.equal(await initializerFromConfig(gpt2), { "": 0.4, o: 0.1, down: 0.1 });
  assert.is((await initializerFromConfig({ model_type: "jetmoe" }))[""], 0.01);
  assert.equal((await initializerFromConfig({ model_type: "t5", d_model: 64, initializer_factor: 2 })).finalNorm, {
    constant: 2,
  });
  const no = await rejects(initializerFromConfig({ model_type: "mixtral", initializer_range: "wide" }));
  assert.is(no.code, "bad-config");
  assert.match(no.message, /every other weight would start with the standard deviation "wide"/);
});

test.run();
