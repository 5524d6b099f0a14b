import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planWith } from "../../sdk/methods.js";
import type { RouterSpec } from "../../sdk/model/router-spec.js";
import { route } from "../../sdk/model/router/route.js";
import { parsePlan } from "../../sdk/plan/check.js";
import type { MoeEvent } from "../../sdk/profile/observer.js";
import { gateRatioObserver } from "../../sdk/profile/observers/gate-ratio.js";
import { dynamicSkipping } from "../../sdk/route/dynamic-skipping.js";
import { tf } from "../../sdk/tensor/index.js";
import { Rng } from "../../sdk/tensor/rng.js";
import { testedBackends, useBackend } from "../support/backends.js";

// The rule of arXiv:2402.14800 is strict: a token whose ratio is the median itself keeps its second expert, so that of
// 81 tokens 40 skip. Whether a product of rounded numbers says so depends on the token, hence many of them.
const TOKENS = 81, EXPERTS = 8, SEEDS = 60;
const routers: Record<string, Partial<RouterSpec>> = { "softmax, normalised": { normalize: true },
  "softmax, scaled": { scale: 2.5 },
  "sigmoid, normalised and scaled": { kind: "sigmoid", normalize: true, scale: 16 } };
const pass = { B: 1, T: TOKENS, offset: 0, capacity: false };

const routed = (logits: Float32Array, spec: RouterSpec) =>
  tf.tidy(() => ({ ...route(tf.tensor2d(logits, [TOKENS, EXPERTS]), spec, pass) }));

/** the threshold that the method plans from these tokens, after its plan went through JSON */
async function planned(logits: Float32Array, spec: RouterSpec): Promise<number> {
  const { choice, gates } = routed(logits, spec);
  const observer = gateRatioObserver();
  await observer.see({ layer: "layers.0", choice, gates } as MoeEvent);
  tf.dispose([choice, gates]);
  const plan = await planWith(dynamicSkipping, { version: 1, model: { id: "", fingerprint: "f" },
    data: { id: "", fingerprint: "", seed: 0 }, tokens: { decoder: TOKENS }, layers: {
      "layers.0": { experts: EXPERTS, tokens: TOKENS, counts: new Array(EXPERTS).fill(1),
        gateRatio: observer.result()["layers.0"] },
    } }, {});
  return parsePlan(JSON.parse(JSON.stringify(plan))).layers["layers.0"].router!.skipBelow!;
}

async function skipped(logits: Float32Array, spec: RouterSpec): Promise<number> {
  const { choice, gates } = routed(logits, spec);
  const chosen = await choice.data();
  tf.dispose([choice, gates]);
  return chosen.filter((expert, at) => at % 2 === 1 && expert < 0).length;
}

const test = suite("dynamic skipping at the median");
for (const [name, change] of Object.entries(routers)) {
  const spec: RouterSpec = { kind: "softmax", topK: 2, normalize: false, scale: 1, bias: false, capacity: 0,
    ...change };
  const cases = Array.from({ length: SEEDS }, (_, seed) => {
    const rng = new Rng(seed);
    return Float32Array.from({ length: TOKENS * EXPERTS }, () => 2 * rng.normal());
  });
  for (const measured of testedBackends) {
    test(`${name}: measured with ${measured}, run with every back end`, async () => {
      await useBackend(measured);
      const thresholds: number[] = [];
      for (const logits of cases) thresholds.push(await planned(logits, spec));
      for (const backend of testedBackends) {
        await useBackend(backend);
        const counts: number[] = [];
        for (const [seed, logits] of cases.entries())
          counts.push(await skipped(logits, { ...spec, skipBelow: thresholds[seed] }));
        assert.equal(counts, counts.map(() => (TOKENS - 1) / 2), backend);
      }
    });
  }
}

test.run();
