import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inspectModel } from "../../sdk/evaluate/inspection.js";
import { from, load } from "../../sdk/pipeline.js";
import { reference, tensorClose } from "../support/reference.js";
import { rejects } from "../support/rejects.js";
import { fixture } from "../support/shared.js";

// a model_type that nobody knows, and a file that says it is Mixtral
const test = suite("a family file of one's own");
let folder = "", model = "", family = "";
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "moelab-family-"));
  [model, family] = [join(folder, "model"), join(folder, "family.json")];
  await cp(fixture("models/mixtral"), model, { recursive: true });
  const config = JSON.parse(await readFile(join(model, "config.json"), "utf8"));
  await writeFile(join(model, "config.json"), JSON.stringify({ ...config, model_type: "own_moe" }));
  await writeFile(family, JSON.stringify({ family: "own", modelTypes: ["own_moe"], extends: "mixtral" }));
});
test.after(() => rm(folder, { recursive: true }));

async function sameLogits({ model }: Awaited<ReturnType<typeof load>>): Promise<void> {
  const expected = await reference(fixture("models/mixtral"));
  const { logits, dispose } = await model.forward({ ids: await expected.rows("single.input_ids") });
  await tensorClose(logits, await expected.values("single.logits"), "logits");
  dispose();
  await expected.close();
}

test("load runs by it, and what is saved opens by it again", async () => {
  assert.match((await rejects(Promise.resolve(load(model)))).message, /model_type is "own_moe"/);
  const opened = await load(model, { family });
  assert.is(opened.model.spec.family, "own");
  await sameLogits(opened);
  await from(opened).save(join(folder, "saved"));
  await sameLogits(await load(join(folder, "saved"), { family }));
});

test("inspect shows by it what the model is", async () => {
  assert.match((await inspectModel(model)).toText(), /own_moe/);
  assert.match((await inspectModel(model, { family })).toText(), /family +own/);
});

test("MOELAB_FAMILIES names files for every load of a process, as run --family sets it", async () => {
  process.env.MOELAB_FAMILIES = family;
  try {
    await sameLogits(await load(model));
    process.env.MOELAB_FAMILIES = join(folder, "none.json");
    assert.match((await rejects(Promise.resolve(load(model)))).message, /none\.json cannot be read/);
  } finally {
    delete process.env.MOELAB_FAMILIES;
  }
  await rejects(Promise.resolve(load(model)));
});

test.run();
