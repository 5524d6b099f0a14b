import { suite } from "uvu";
import * as assert from "uvu/assert";
import { from, load } from "../../sdk/pipeline.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { fixture } from "../support/shared.js";

const test = suite("stage-memory");
await ready();
const counted = tf.getBackend() === "torch";
if (!counted) console.log(`skip: memory of the stages, the back end ${tf.getBackend()} does not count its tensors`);

/** Within a twentieth of what the stage then took; a run of training holds up to a twelfth more than its trial step. */
function close(forecast: number, measured: number | undefined, what: string): void {
  assert.ok(Math.abs(forecast / measured! - 1) < (what.endsWith("train") ? 0.08 : 0.05),
    `${what}: forecast ${forecast}, measured ${measured}`);
}

const row = (length: number, at: number) => Array.from({ length }, (_, i) => 1 + ((7 * i + 13 * at) % 50));
const data = [40, 24, 17].map((length, batch) => {
  const ids = Array.from({ length: 24 - 8 * batch }, (_, at) => row(length, at + 100 * batch));
  return { ids, labels: ids };
});

for (const [name, options] of [["nano-switch", { task: "pron", items: 200 }], ["nano-decoder", { items: 40,
  window: 64 }], ["olmoe", { data }], ["qwen3_next", { data }], ["deepseek_v3", { data }], ["jamba", {
  data,
}]] as const) {
  if (!counted) break;
  test(`${name}: profile, evaluate and train take what a trial forecasts`, async () => {
    const model = name.startsWith("nano") ? name : fixture(`models/${name}`);
    const given = options as { data?: typeof data };
    const begun = await load(model);
    const { stages } = await from(begun).memory({ ...given, batch: 16 });
    const forecast = Object.fromEntries(stages.map(({ stage, peakBytes }) => [stage, peakBytes]));
    const study = await from(begun).profile(given).evaluate(given);
    const trained = await from(study).train({ ...given, steps: 6, batch: 16 });
    for (const { stage, peakBytes } of [...study.steps, ...trained.steps.slice(-1)].filter(({ stage }) =>
      stage in forecast
    )) close(forecast[stage], peakBytes, `${name} ${stage}`);
    await trained.model.dispose();
    await study.model.dispose();
  });
}

if (!counted)
  test("a back end that does not count is refused", async () => {
    const error = await load("nano-switch").memory().then(() => undefined, (reason: { code?: string }) => reason);
    assert.is(error?.code, "not-counted");
  });

test.run();
