import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { cost } from "../../sdk/evaluate/index.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { from, load } from "../../sdk/pipeline.js";
import { methodList } from "../../sdk/stages/method-list.js";
import { exampleOptions } from "../support/example-options.js";
import { fixture } from "../support/shared.js";

// What a forecast says of parameters, bytes and FLOPs, beside the model that is then made, written and opened again.
// Time
// and memory are measured in test/bench/forecast.
const test = suite("forecast of every method");
const data = {
  switch_transformers: [{ ids: [[4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4]], decoderIds: [[0, 5, 6, 9], [0, 7, 8, 4]],
    labels: [[5, 6, 9, 7], [7, 8, 4, 5]] }],
  mixtral: [{ ids: [[4, 5, 6, 7, 8, 9, 10, 11], [11, 3, 9, 8, 7, 6, 5, 4]],
    labels: [[5, 6, 7, 8, 9, 10, 11, 3], [3, 9, 8, 7, 6, 5, 4, 5]] }],
};

for (const [family, batches] of Object.entries(data)) {
  const profiled = await load(fixture(`models/${family}`)).profile({ data: batches as never });
  const causal = moeLayers(profiled.model.spec).filter(({ stack }) => stack === "decoder").map(({ id }) => id);
  for (const { name } of methodList()) {
    if (family === "switch_transformers" && name === "dynamic-skipping") continue; // one expert a token: nothing to skip
    const options = name === "meo"
      ? (family === "mixtral" ? { level: "task" } : { exclude: causal })
      : exampleOptions(name);
    test(`${family}: ${name}`, async () => {
      const planned = from(profiled).plan({ method: name, ...options });
      const forecast = await planned.forecast();
      const study = await planned.apply();
      const folder = join(await mkdtemp(join(tmpdir(), "moelab-")), "model");
      await from(study).save(folder);
      const again = await load(folder);
      assert.is(forecast.after.parameters.total, cost(again.model.spec).parameters.total);
      assert.is(forecast.after.flopsPerToken, cost(again.model.spec).flopsPerToken);
      let [numbers, bytes] = [0, 0];
      for (const file of (await readdir(folder)).filter((file) => file.endsWith(".safetensors"))) {
        const store = await openTensors(join(folder, file));
        for (const tensor of store.names()) {
          const { shape, sizeBytes } = store.info(tensor);
          bytes += sizeBytes;
          if (!tensor.endsWith(".s.rows")) numbers += shape.reduce((product, n) => product * n, 1);
        }
        await store.close();
      }
      // packed numbers share bytes, and the shape of each weight lies beside its codes
      const packed = Object.values(study.plan!.weights ?? {}).some(({ format }) => format);
      if (!packed) {
        assert.is(forecast.after.parameters.total, numbers, "parameters on disk");
        assert.is(forecast.sizeBytes.after, bytes, "bytes on disk");
      } else assert.ok(bytes >= forecast.sizeBytes.after && bytes < 1.1 * forecast.sizeBytes.after, `${bytes} on disk`);
      // and it computes what it did before it was written
      const [a, b] = [await study.model.forward(batches[0] as never), await again.model.forward(batches[0] as never)];
      assert.equal(Array.from(await a.logits.data()), Array.from(await b.logits.data()));
      a.dispose();
      b.dispose();
      await again.model.dispose();
      await rm(join(folder, ".."), { recursive: true });
    });
  }
}

test.run();
