import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Changes } from "../../sdk/method/changes.js";
import { create, from } from "../../sdk/pipeline.js";
import { joined } from "../../sdk/search/level-space.js";
import { StudyLab } from "../../sdk/stages/lab.js";
import type { Study } from "../../sdk/stages/study.js";
import { drawsOf } from "../../sdk/tensor/draws.js";
import { Rng } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { rejects } from "../support/rejects.js";

const test = suite("evopress");
const LAYERS = 6;
const rng = new Rng(8);
const windows = Array.from({ length: 6 }, () => Array.from({ length: 11 }, () => rng.int(40)));
const data = [{ ids: windows.map((row) => row.slice(0, -1)), labels: windows.map((row) => row.slice(1)) }];
const small = { model_type: "mixtral", vocab_size: 40, hidden_size: 8, intermediate_size: 12, num_hidden_layers: LAYERS,
  num_attention_heads: 2, num_key_value_heads: 2, num_local_experts: 4, num_experts_per_tok: 2,
  initializer_range: 0.6 };
const profiled: Study = await create(small, { tokenizer: "nano-decoder", seed: 3 }).profile({ data });
const blocks = Array.from({ length: 2 * LAYERS }, (_, unit): Changes => ({
  layers: { [`layers.${unit % LAYERS}`]: { drop: [unit < LAYERS ? "attention" : "ffn"] } },
}));

/** all sets of k of n */
function* subsets(n: number, k: number, first = 0): Generator<number[]> {
  if (k === 0) yield [];
  else for (let at = first; at <= n - k; at++) for (const rest of subsets(n, k - 1, at + 1)) yield [at, ...rest];
}

test("the search finds the best of all 924 sets of 6 of 12 blocks, in far fewer tries", async () => {
  const lab = new StudyLab(profiled.state, { method: "test", options: {} });
  const all = lab.sample(undefined, drawsOf(rng));
  let best = Infinity, count = 0;
  for (const set of subsets(2 * LAYERS, LAYERS)) {
    best = Math.min(best, await lab.score(joined(set.map((unit) => blocks[unit])), all, "kl"));
    count++;
  }
  assert.is(count, 924);
  const study = await from(profiled).prune({ method: "evopress", drop: LAYERS, units: "any", generations: 14,
    offspring: 16, initial: 16, survivors: [1], tokens: [lab.tokens] });
  const dropped = Object.values(study.plan!.layers).flatMap(({ drop }) => drop);
  assert.is(dropped.length, LAYERS);
  close([await lab.score({ layers: study.plan!.layers }, all, "kl")], [best], 1e-6, "best");
  await lab.close();
});

test("as many attention blocks as feed-forward blocks go, or whole layers; nothing of nothing", async () => {
  const few = { generations: 2, offspring: 4, initial: 4, tokens: [20, 40], survivors: [2, 1] };
  const kinds = (study: Study) => {
    const all = Object.values(study.plan!.layers).flatMap(({ drop }) => drop);
    return ["attention", "ffn"].map((block) => all.filter((one) => one === block).length);
  };
  assert.equal(kinds(await from(profiled).prune({ method: "evopress", drop: 2, ...few })), [2, 2]);
  const layers = await from(profiled).prune({ method: "evopress", drop: 3, units: "layers", ...few });
  assert.equal(Object.values(layers.plan!.layers).map(({ drop }) => [...drop!].sort()),
    [0, 1, 2].map(() => ["attention", "ffn"]));
  assert.equal((await from(profiled).prune({ method: "evopress", drop: 0, ...few })).plan!.layers, {});
  const error = await rejects(Promise.resolve(from(profiled).prune({ method: "evopress", drop: 7, ...few })));
  assert.is(error.code, "drop-out-of-range");
});

test("the layers that baselines drop follow from their formulas", async () => {
  const { model } = profiled;
  const forward = await model.forward(data[0], { record: { hidden: true } });
  const streams = await Promise.all(forward.hidden.decoder!.layers.map((x) => x.array() as Promise<number[][]>));
  forward.dispose();
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const cosine = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const mean = (of: (n: number) => number) => streams[0].reduce((sum, _, n) => sum + of(n), 0) / streams[0].length;
  const ids = (order: number[]) => order.slice(0, 2).sort().map((at) => `layers.${at}`);
  const rising = (score: (layer: number) => number) =>
    Array.from({ length: LAYERS }, (_, at) => at).sort((a, b) => score(a) - score(b));
  const dropped = async (by: "short-gpt" | "weight-subcloning" | "shortened-llama" | "sliding-window" | "random") =>
    Object.keys((await from(profiled).prune({ method: "depth", by, drop: 2 })).plan!.layers);

  assert.equal(await dropped("short-gpt"),
    ids(rising((l) => 1 - mean((n) => cosine(streams[l][n], streams[l + 1][n])))));
  assert.equal(await dropped("weight-subcloning"), ids(rising((l) =>
    mean((n) => {
      const added = streams[l + 1][n].map((value, i) => value - streams[l][n][i]);
      return Math.sqrt(dot(added, added) / dot(streams[l + 1][n], streams[l + 1][n]));
    })
  )));
  const [first] = rising((l) => (l + 2 > LAYERS ? Infinity : -mean((n) => cosine(streams[l][n], streams[l + 2][n]))));
  assert.equal(await dropped("sliding-window"), [`layers.${first}`, `layers.${first + 1}`]);
  const lab = new StudyLab(profiled.state, { method: "test", options: {} });
  const all = lab.sample(undefined, drawsOf(rng));
  const losses: number[] = [];
  for (let l = 0; l < LAYERS; l++)
    losses.push(await lab.score({ layers: { [`layers.${l}`]: { drop: ["attention", "ffn"] } } }, all, "nll"));
  await lab.close();
  assert.equal(await dropped("shortened-llama"), ids(rising((l) => losses[l])));
  assert.is((await dropped("random")).length, 2);
});

test.run();
