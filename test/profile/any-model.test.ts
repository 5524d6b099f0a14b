import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { load } from "../../sdk/pipeline.js";
import { loadProfile } from "../../sdk/profile/profile-file.js";
import { close } from "../support/close.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

const test = suite("statistics of any model");
const folder = mkdtempSync(join(tmpdir(), "moelab-any-"));
test.after(() => rmSync(folder, { recursive: true }));

// made by measure.py beside it
const { rows, values: expected } = JSON.parse(readFileSync(fixture("any-model/llama.json"), "utf8")) as {
  rows: number[][];
  values: Record<string, number[]>;
};
const batch = (some: number[][], pad: number) => {
  const T = Math.max(...some.map((row) => row.length)) + pad;
  const fill = (row: number[], blank: number) => [...row, ...new Array<number>(T - row.length).fill(blank)];
  return { ids: some.map((row) => fill(row, 3)), mask: some.map((row) => fill(row.map(() => 1), 0)),
    labels: some.map((row) => fill(row.map((id) => id + 1), -1)) };
};
const statistics = ["streamCosine", "streamWindows.2", "inputNorms", "gram.inputs", "inputs.64", "attentionReceived",
  "outputGradient", "gradients.all", "fisher:layers.0.attention.,layers.1.ffn.up"];

/** all numbers of a result by their places */
function numbers(value: unknown, path = ""): [string, number][] {
  if (typeof value === "number") return [[path, value]];
  if (!value || typeof value !== "object") return [];
  return Object.keys(value).sort().flatMap((key) => numbers((value as Record<string, unknown>)[key], `${path}/${key}`));
}

async function measured(model: string, data: ReturnType<typeof batch>[], asked = statistics, options = {}) {
  const study = await load(fixture(`models/${model}`)).profile({ data, statistics: asked, ...options });
  const { blocks, weights } = study.profile!;
  const all = numbers({ blocks, weights });
  for (const [name, source] of Object.entries(study.state.tensors ?? {}))
    for (const weight of source.names())
      (await source.values(weight)).forEach((value, i) => all.push([`${name} of ${weight}[${i}]`, value]));
  return { study, all: new Map(all) };
}

function same(found: Map<string, number>, expected: Map<string, number>, tolerance: number): void {
  assert.equal([...found.keys()].sort(), [...expected.keys()].sort());
  for (const [name, value] of expected) close([found.get(name)!], [value], tolerance, name);
}

for (const name of ["llama", "mixtral"]) {
  test(`${name}: padding has no part, and the size of batches changes nothing beyond rounding`, async () => {
    const { all: whole, study } = await measured(name, [batch(rows, 0)]);
    const layers = Object.keys(study.profile!.blocks!);
    assert.is(layers.length, study.model.spec.decoder.layers.length);
    assert.is(Object.keys(study.profile!.layers).length, name === "llama" ? 0 : layers.length);
    assert.is(study.profile!.tokens.decoder, 12);
    for (const part of ["streamCosine/layer", "streamWindows.2/1", "outputGradient/squared/0"])
      assert.ok(whole.has(`/blocks/layers.0/${part}`), part);
    assert.ok(whole.has("gram.inputs of layers.0.attention.q[0]"));
    for (const other of [[batch(rows, 4)], [batch(rows.slice(0, 1), 0), batch(rows.slice(1), 2)]])
      same((await measured(name, other)).all, whole, 2e-4);
  });
}

test("mixtral: layers read in groups and activations on disk give the same", async () => {
  const budgeted = ["streamCosine", "streamWindows.2", "inputNorms", "gram.inputs.experts", "attentionReceived"];
  const { all } = await measured("mixtral", [batch(rows, 1), batch(rows, 0)], budgeted);
  const small = await measured("mixtral", [batch(rows, 1), batch(rows, 0)], budgeted, { memory: "20kB" });
  assert.ok(small.study.model.memory.layerBytes < 20_000, "no layer fits whole");
  same(small.all, all, 1e-4); // float32 sums in another order
});

test("a profile with tensors beside it is saved, loaded and gone on from; an interrupted one as well", async () => {
  const asked = ["gram.inputs", "streamCosine"];
  const { study, all } = await measured("llama", [batch(rows, 0)], asked);
  const path = join(folder, "llama.json");
  await study.saveProfile(path);
  assert.equal(await loadProfile(path), study.profile);
  const again = await measured("llama", [batch(rows, 0)], asked, { from: path });
  same(again.all, all, 0);
  const other = await measured("llama", [batch(rows.slice(0, 2), 0)], asked);
  await other.study.saveProfile(join(folder, "other.json"));
  const mixed = await rejects(measured("llama", [batch(rows, 0)], asked, { from: join(folder, "other.json") }));
  assert.is(mixed.code, "data-of-another-profile");
  const state = join(folder, "state");
  same((await measured("llama", [batch(rows, 0)], asked, { state })).all, all, 0);
  same((await measured("llama", [batch(rows, 0)], asked, { state })).all, all, 0);
  const spans = await rejects(measured("llama", [batch(rows, 0)], ["streamWindows.2"], { state }));
  assert.is(spans.code, "no-state");
});

test("of a dense model, statistics and methods of experts are refused by name", async () => {
  const refused = await rejects(measured("llama", [batch(rows, 0)], ["gateMass"]));
  assert.is(refused.code, "no-experts");
  assert.match(refused.message, /"gateMass" is a statistic of experts; accepted are .*gram\.inputs/);
  const changed = await rejects(
    Promise.resolve(
      load(fixture("models/llama")).profile({ data: [batch(rows, 0)] }).prune({ method: "frequency", keep: 0.5 }),
    ),
  );
  assert.is(changed.code, "no-experts");
});

test("stream cosine, Gram matrix, norms and attention equal numpy's on a fixture", async () => {
  const { study } = await measured("llama", [batch(rows, 2)]);
  const { blocks, weights } = study.profile!;
  const tensors = study.state.tensors!;
  for (const [layer, { streamCosine, "streamWindows.2": windows }] of Object.entries(blocks!) as [string, any][]) {
    close([streamCosine.layer, streamCosine.attention, streamCosine.ffn, streamCosine.ffnAlone],
      expected[`${layer}.cosines`], 1e-5, layer);
    close(windows, expected[`${layer}.windows`], 1e-5, `${layer} windows`);
    close(await tensors.attentionReceived.values(layer), expected[`${layer}.received`], 1e-5, `${layer} attention`);
    for (const name of ["attention.q", "attention.o", "ffn.up", "ffn.down"].map((each) => `${layer}.${each}`)) {
      const norms = weights![name].inputNorms as { norms: number[]; meanAbs: number[] };
      close(norms.norms, expected[`${name}.norms`], 1e-5, `${name} norms`);
      close(norms.meanAbs, expected[`${name}.meanAbs`], 1e-5, `${name} means`);
      // float32 sums of 12 products near 1
      close(await tensors["gram.inputs"].values(name), expected[`${name}.gram`], 3e-5, `${name} Gram`);
    }
  }
});

test.run();
