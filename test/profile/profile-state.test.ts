import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Activations } from "../../sdk/model/activations.js";
import { MemoryBudget } from "../../sdk/model/memory-budget.js";
import type { Measured } from "../../sdk/profile/build-profile.js";
import { ProfileState } from "../../sdk/profile/profile-state.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { rejects } from "../support/rejects.js";

const test = suite("profile-state");
await ready();
const folder = mkdtempSync(join(tmpdir(), "moelab-state-"));
test.after(() => rmSync(folder, { recursive: true }));

const held = (values: number[]) => ({ shape: [1, 1, values.length],
  read: async () => tf.tensor(values, [1, 1, values.length]),
  take: async () => tf.tensor(values, [1, 1, values.length]), free() {} });
const layer = (count: number) => ({ experts: 2, tokens: 3, counts: [count, 1] });
const measured = (id: string, count: number): Measured => ({ layers: { [id]: layer(count) },
  blocks: { [id]: { streamCosine: { layer: 0.5 } } }, weights: {},
  tensors: { "gram.inputs": new Map([[`${id}.ffn.up`, { shape: [1, 1], values: Float32Array.of(count) }]]) } });

test("layers and activations of the same moment are found again", async () => {
  const state = await ProfileState.open(folder, "run");
  state.add("decoder.layers.0", measured("decoder.layers.0", 5));
  await state.save({ stack: "decoder", layer: 1, batches: [{ x: held([1, 2]) }] });
  state.add("decoder.layers.1", measured("decoder.layers.1", 6));
  await state.save({ stack: "decoder", layer: 2, batches: [{ x: held([3, 4]) }] });
  state.add("decoder.layers.2", measured("decoder.layers.2", 7)); // killed before the activations were there
  await state.close();

  const again = await ProfileState.open(folder, "run");
  const { layers, blocks, tensors } = await again.measured();
  assert.equal(layers, { "decoder.layers.0": layer(5), "decoder.layers.1": layer(6) });
  assert.equal(Object.keys(blocks), Object.keys(layers));
  assert.equal([...tensors["gram.inputs"]].map(([name, { values: [count] }]) => [name, count]), [[
    "decoder.layers.0.ffn.up",
    5,
  ], ["decoder.layers.1.ffn.up", 6]]);
  const activations = new Activations(new MemoryBudget(1e6));
  const point = (await again.restore(activations))!;
  assert.equal([point.stack, point.layer], ["decoder", 2]);
  const x = await point.batches[0].x.take();
  assert.equal([...await x.data()], [3, 4]);
  x.dispose();
  await activations.close();
  await again.close();
});

test("counts that were damaged or changed are not taken as measured, nor is the state of another run", async () => {
  assert.is((await rejects(ProfileState.open(folder, "other data"))).code, "state-of-another-run");
  const file = join(folder,
    readdirSync(folder).find((name) =>
      name.endsWith(".json") && readFileSync(join(folder, name), "utf8").includes("[5,1]")
    )!);
  const whole = readFileSync(file, "utf8");
  for (const bad of [whole.replace("[5,1]", "[-5,1]"), whole.slice(0, -9), ""]) {
    writeFileSync(file, bad);
    const error = await rejects(ProfileState.open(folder, "run"));
    assert.is(error.code, "bad-state");
    assert.match(error.message, /is missing, or was changed after it was written/);
  }
});

test.run();
