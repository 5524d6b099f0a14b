import { test } from "uvu";
import * as assert from "uvu/assert";
import { moe } from "../../sdk/moe.js";
import { NO_EXPERT, type RoutingTrace } from "../../sdk/offload/trace.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const data = [{ ids: [[5, 9, 2, 17, 3], [8, 4, 4, 0, 0]], mask: [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]],
  labels: [[9, 2, 17, 3, 1], [4, 4, 1, -1, -1]] }];
const chosen = ({ steps, layers, topK }: RoutingTrace, layer: number) =>
  steps.flatMap(({ ids, tokens }) =>
    Array.from({ length: tokens }, (_, t) =>
      [...ids.subarray((layer * tokens + t) * topK, (layer * tokens + t + 1) * topK)].filter((id) =>
        id !== NO_EXPERT
      ).sort())
  );

for (const name of ["mixtral", "deepseek_v3", "qwen2_moe"]) {
  test(`${name}: the trace is what the routers chose, padding left out, and counts as the profile does`, async () => {
    const study = await moe.load(fixture(`models/${name}`)).profile({ data });
    const trace = await moe.from(study).trace({ data, promptTokens: 2 });
    assert.equal(trace.steps.map(({ seq, phase, tokens }) => [seq, phase, tokens]), [[0, "prefill", 2], [0, "decode",
      1], [0, "decode", 1], [0, "decode", 1], [1, "prefill", 2], [1, "decode", 1]]);
    const forward = await study.model.forward({ ids: data[0].ids, mask: data[0].mask }, { record: { routing: true } });
    for (const [layer, id] of trace.layerIds!.entries()) {
      const rows = (await forward.routing[id].experts.array()).filter((_, row) => data[0].mask.flat()[row] === 1);
      assert.equal(chosen(trace, layer), rows.map((row) => row.filter((expert) => expert >= 0).sort()));
      const counts = new Array<number>(trace.experts).fill(0);
      for (const row of chosen(trace, layer)) for (const expert of row) counts[expert] += 1;
      assert.equal(counts, study.profile!.layers[id].counts);
    }
    forward.dispose();
    for (const { weights, ids, nextLookahead } of trace.steps) {
      assert.ok(weights!.every((weight) => weight >= 0) && ids.length === weights!.length);
      assert.ok(nextLookahead!.every((id) => id < trace.experts || id === NO_EXPERT));
    }
    const prompt = trace.steps.map(({ tokens }) => tokens).reduce((sum, n) => sum + n, 0);
    assert.is(prompt, 8);
    for (const model of [study.model]) await model.dispose();
  });
}

test("an encoder-decoder model is traced on one side", async () => {
  const both = [{ ids: [[5, 9, 2]], decoderIds: [[0, 7]], labels: [[7, 1]] }];
  const study = await moe.load(fixture("models/switch_transformers"));
  const encoder = await study && await moe.from(study).trace({ data: both, stack: "encoder", lookahead: false });
  assert.is(encoder.steps[0].tokens, 3);
  assert.ok(encoder.layerIds!.every((id) => id.startsWith("encoder.")));
  assert.is(encoder.steps[0].nextLookahead, undefined);
  await study.model.dispose();
});

test("what cannot be traced is named", async () => {
  assert.is((await rejects(moe.load(fixture("models/llama")).trace({ data }))).code, "no-experts");
  assert.is((await rejects(moe.load(fixture("models/mixtral")).trace({ data, promptTokens: 0 }))).code, "bad-option");
});

test.run();
