import { mkdtempSync, readFileSync } from "node:fs";
import { rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readTrace } from "../../sdk/offload/convert-trace.js";
import { loadTrace, saveTrace } from "../../sdk/offload/trace-file.js";
import { reuseDistances, traceStatistics } from "../../sdk/offload/trace-statistics.js";
import { NO_EXPERT, type RoutingTrace, usesOf } from "../../sdk/offload/trace.js";
import { rejects } from "../support/rejects.js";
import { shared } from "../support/shared.js";

const folder = mkdtempSync(join(tmpdir(), "moelab-trace-"));
test.after(() => rm(folder, { recursive: true, force: true }));
const file = async (name: string, content: string | Uint8Array) => {
  await writeFile(join(folder, name), content);
  return join(folder, name);
};
const refused = async (name: string, content: string | Uint8Array, message: RegExp) =>
  assert.match((await rejects(file(name, content).then((path) => readTrace(path)))).message, message);

/** [token][layer][choice] */
const TOKENS = [[[3, 1], [0, 2]], [[1, 4], [2, 5]], [[3, 0], [0, 5]]];
const choices = ({ steps, layers, topK }: RoutingTrace) =>
  steps.flatMap(({ ids, tokens }) =>
    Array.from({ length: tokens }, (_, t) =>
      Array.from({ length: layers }, (_, l) =>
        Array.from(ids.subarray((l * tokens + t) * topK, (l * tokens + t + 1) * topK))))
  );

test("Megatron-core's lines: one for each step and layer, layers that predict further tokens left out", async () => {
  const line = (step: number, layer: number, top_indices: number[][], more = {}) =>
    JSON.stringify({ step, stage: "pre_dispatch", block: "decoder", layer, rank: 0, num_tokens: top_indices.length,
      topk: 2, top_indices, ...more });
  const trace = await readTrace(
    await file("router_trace_rank0.jsonl", [line(0, 3, TOKENS.slice(0, 2).map(([first]) =>
      first
    )), line(0, 5, TOKENS.slice(0, 2).map(([, second]) => second)), line(0, 3, [[9, 9]], { block: "mtp", mtp_idx: 0 }),
      line(1, 3, [TOKENS[2][0]]), line(1, 5, [TOKENS[2][1]]), ""].join("\n")),
  );
  assert.equal(choices(trace), TOKENS);
  assert.equal(trace.steps.map(({ phase, tokens }) => [phase, tokens]), [["prefill", 2], ["decode", 1]]);
  assert.equal(trace.layerIds, ["layers.3", "layers.5"]);
  assert.is(trace.experts, 6);
});

test("vLLM's arrays, as JSON, as an answer of its server and as .npy", async () => {
  const plain = await readTrace(await file("a.json", JSON.stringify({ routed_experts: TOKENS })));
  assert.equal(choices(plain), TOKENS);
  assert.is(plain.steps.length, 3);
  const answer = await readTrace(
    await file("b.json",
      JSON.stringify({ prompt_routed_experts: TOKENS.slice(0, 2), choices: [{ routed_experts: TOKENS.slice(2) }] })),
  );
  assert.equal(choices(answer), TOKENS);
  assert.equal(answer.steps.map(({ phase }) => phase), ["prefill", "decode"]);
  const header = "{'descr': '<i2', 'fortran_order': False, 'shape': (3, 2, 2), }".padEnd(117) + "\n";
  const npy = Buffer.concat([Buffer.from("\u0093NUMPY\u0001\u0000", "latin1"), Buffer.from([header.length, 0]),
    Buffer.from(header), Buffer.from(Int16Array.from(TOKENS.flat(2)).buffer)]);
  const read = await readTrace(await file("c.npy", npy), { promptTokens: 2, experts: 8 });
  assert.equal(choices(read), TOKENS);
  assert.is(read.experts, 8);
  await refused("d.npy", npy.subarray(0, npy.length - 2), /takes 24 bytes, and there are 22/);
  await refused("e.npy", Buffer.from(npy.toString("latin1").replace("<i2", "<f2"), "latin1"), /not whole ones/);
  await refused("f.npy", Buffer.from("nothing"), /does not begin as \.npy/);
});

test("a line for each token and layer, in any order", async () => {
  const lines = TOKENS.flatMap((token, t) =>
    token.map((experts, layer) => JSON.stringify({ token: t, layer, experts }))
  );
  assert.equal(choices(await readTrace(await file("g.jsonl", lines.join("\n")))), TOKENS);
});

test("the capture of switch-base-8 has its sizes", async () => {
  const path = shared("fixtures/traces/switch-base-8.json");
  if (!path) return;
  const trace = await readTrace(path);
  const { selections, expertsPerLayer, layers } = JSON.parse(readFileSync(path, "utf8"));
  assert.equal([trace.experts, trace.layers, trace.steps.length], [expertsPerLayer, layers, selections.length]);
  assert.equal(choices(trace), selections);
  assert.is(reuseDistances(trace).reduce((sum, n) => sum + n, 0), usesOf(trace).length);
});

test("what is written is read as the same, and nothing of the user's is replaced", async () => {
  const ids = Uint16Array.from([3, 1, 0, 2]), weights = Float32Array.of(0.7, 0.3, 1, 0.5);
  const trace: RoutingTrace = { model: "m", seed: 4, layers: 2, experts: 5, topK: 2, dModel: 0, expertBytes: { f32: 8 },
    steps: [{ seq: 0, phase: "decode", tokens: 1, ids, weights }, { seq: 1, phase: "decode", tokens: 1,
      ids: Uint16Array.from([4, NO_EXPERT, 1, 0]), weights }] };
  const path = join(folder, "own.trace.json");
  await saveTrace(trace, path);
  assert.equal(await loadTrace(path), trace);
  assert.is((await rejects(saveTrace(trace, path))).code, "file-exists");
  assert.is((await rejects(saveTrace(trace, join(folder, "own.json")))).code, "bad-trace");
  const header = JSON.parse(readFileSync(path, "utf8"));
  const wrong: [object, RegExp][] = [[{ version: 2 }, /version is 2/], [{ experts: 4 }, /chooses expert 4 of 4/], [{
    topK: 9,
  }, /topK is 9/], [{ layers: 1e9 }, /layers is 1000000000/], [{ fields: ["weights"] }, /fields are/], [{ steps: {} },
    /steps is no list/], [{ steps: [7] }, /step 0 is 7/], [{ expertBytes: { f32: -1 } }, /expertBytes/], [{
    x_sha256Ids: "0",
  }, /sha256/], [{ steps: [{ ...header.steps[0], offset: { ids: 1e6, weights: 0 } }] }, /lies at 1000000/], [{
    steps: [{ ...header.steps[0], offset: { ids: -8, weights: 0 } }],
  }, /lies at -8/], [{ steps: [{ ...header.steps[0], tokens: 1e7 }] }, /takes .* bytes/], [{
    steps: [{ ...header.steps[0], phase: "x" }],
  }, /phase/]];
  for (const [change, message] of wrong) {
    await writeFile(path, JSON.stringify({ ...header, ...change }));
    assert.match((await rejects(loadTrace(path))).message, message);
  }
  await writeFile(path, JSON.stringify(header));
  await truncate(path.replace(".json", ".bin"), 6);
  assert.match((await rejects(loadTrace(path))).message, /lies at/);
  await rm(path.replace(".json", ".bin"));
  assert.match((await rejects(loadTrace(path))).message, /own\.trace\.bin is not there/);
});

test("what cannot be read is named", async () => {
  assert.is((await rejects(readTrace(join(folder, "none.json")))).code, "no-trace");
  await refused("h.json", "{}", /it has no keys/);
  await refused("i.json", "[[1]]", /it has 0/);
  await refused("j.jsonl", "{\"layer\": 0}\n{\"layer\": 1}", /line 1 has layer/);
  await refused("k.jsonl", "{\"layer\": 0, \"token\": 0, \"experts\": [1]}\nnothing", /line 2 is no JSON/);
  await refused("l.json", JSON.stringify({ routed_experts: [[[0], [1]], [[0]]] }), /one token has 1 layers, another 2/);
  await refused("m.json", JSON.stringify({ routed_experts: [[[0.5]]] }), /chooses 0\.5/);
  await refused("n.json", JSON.stringify({ routed_experts: [[[70000]]] }), /chooses 70000/);
  await refused("o.json", JSON.stringify({ routed_experts: [] }), /nobody chooses/);
  await refused("p.jsonl",
    "{\"step\":0,\"layer\":0,\"top_indices\":[[1],[2]]}\n{\"step\":0,\"layer\":1,\"top_indices\":[[1]]}",
    /2, 1 tokens in layers 0, 1/);
  const few = await file("q.json", JSON.stringify({ routed_experts: TOKENS }));
  assert.match((await rejects(readTrace(few, { experts: 3 }))).message, /experts is 3 and a token chooses 5/);
  assert.match((await rejects(readTrace(few, { promptTokens: 4 }))).message, /promptTokens is 4 of 3/);
});

test("statistics by hand", () => {
  const step = (ids: number[]) => ({ seq: 0, phase: "decode" as const, tokens: 1, ids: Uint16Array.from(ids) });
  const trace: RoutingTrace = { model: "m", seed: 0, layers: 1, experts: 4, topK: 2, dModel: 0, expertBytes: { f32: 1 },
    steps: [step([0, 1]), step([1, 2]), step([0, 1])] };
  const [{ counts, reuse, effectiveExperts }] = traceStatistics(trace);
  assert.equal(counts, [2, 3, 1, 0]);
  assert.is(reuse, 2 / 4);
  assert.ok(effectiveExperts > 2.7 && effectiveExperts < 2.8);
  // 0, 1 new; 1 last, 2 new; 0 after 2 and 1, 1 after 0 and 2
  assert.equal(reuseDistances(trace), [1, 0, 2, 0, 3]);
});

test.run();
