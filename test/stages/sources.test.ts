import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { moeLayers } from "../../sdk/model/spec.js";
import { from, load } from "../../sdk/pipeline.js";
import { close } from "../support/close.js";
import { fixture } from "../support/shared.js";

const test = suite("further models in a chain");
const data = [{ ids: [[4, 5, 6, 7, 8, 9, 10, 11], [11, 3, 9, 8, 7, 6, 5, 4]],
  labels: [[5, 6, 7, 8, 9, 10, 11, 3], [3, 9, 8, 7, 6, 5, 4, 5]] }];
/** half of each expert from the model of this name */
const half = (model: string) => ({ name: "half", plan: (profile: { layers: Record<string, { experts: number }> }) => ({
  layers: Object.fromEntries(Object.entries(profile.layers).map(([id, { experts }]) => [id, {
    slots: Array.from({ length: experts },
      (_, expert) => ({ from: [{ expert, weight: 0.5 }, { expert, weight: 0.5, model }] })),
  }])),
}) });

test("a method reads a model that .with opened; its plan names the fingerprint and is forecast", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moelab-sources-"));
  const base = await load(fixture("models/mixtral")).profile({ data } as never);
  const experts = moeLayers(base.model.spec)[0].ffn.experts;
  assert.ok(experts >= 4);
  const pruned = await from(base).prune({ method: "frequency", keep: 1 });
  await from(pruned).save(join(folder, "other"));
  const chain = from(base).with({ other: join(folder, "other") });
  const planned = await (chain as unknown as ReturnType<typeof from>).plan({ method: half("other") } as never);
  assert.equal(Object.keys(planned.plan!.sources!), ["other"]);
  assert.is(planned.plan!.version, 2);
  assert.ok((await from(planned).forecast()).peakBytes > 0);
  const merged = await from(planned).apply();
  const { id } = moeLayers(merged.model.spec)[0];
  // the other model is the same, so half of each is the whole
  close(await merged.model.weights.values(`${id}.experts.1.up`), await base.model.weights.values(`${id}.experts.1.up`),
    1e-6);
  rmSync(folder, { recursive: true });
});

test("a model that was not named is missed by its name", async () => {
  const base = await load(fixture("models/mixtral")).profile({ data } as never);
  for (const [run, code, said] of [[() => from(base).plan({ method: half("other") } as never), "unknown-source",
    /"other".*\.with\(\{ other/], [() => from(base).with({ other: 3 as never }), "bad-source",
    /other.*number/]] as const) {
    try {
      await run();
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code?: string }).code, code, (error as Error).message);
      assert.match((error as Error).message, said);
    }
  }
});

test.run();
