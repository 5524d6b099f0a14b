import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bytesFrom } from "../../sdk/checkpoint/bytes-from.js";
import { MemoryBudget } from "../../sdk/model/memory-budget.js";
import { Resident } from "../../sdk/model/resident.js";
import { ready, tf } from "../../sdk/tensor/index.js";
import { nanoMoe } from "../support/nano-moe.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("Resident");
await ready();

test("layers stay as far as the budget goes, the one used longest ago goes first", () =>
  noLeaks(async () => {
    const { spec, weights } = nanoMoe({ layers: 3 });
    const use = async (resident: Resident, path: string) => {
      await resident.take(path);
      resident.release(path);
    };
    const reads = () =>
      ["layers.0", "layers.1", "layers.2"].map((path) => weights.reads.get(`${path}.experts.0.up`) ?? 0);
    const probe = new Resident(spec, weights, new MemoryBudget());
    const layerBytes = [...(await probe.take("layers.0")).values()].reduce((sum, tensor) => sum + 4 * tensor.size, 0);
    probe.dispose();
    weights.reads.clear();
    const resident = new Resident(spec, weights, new MemoryBudget(2 * layerBytes));
    for (const layer of [0, 1, 0, 2, 0, 1]) await use(resident, `layers.${layer}`);
    assert.equal(reads(), [1, 2, 1]);
    resident.dispose();
    weights.reads.clear();
    const none = new Resident(spec, weights, new MemoryBudget(Infinity, false));
    const before = tf.memory().numTensors;
    for (const layer of [0, 1, 0]) await use(none, `layers.${layer}`);
    assert.equal(reads(), [2, 1, 0]);
    assert.is(tf.memory().numTensors, before);
    none.dispose();
  }));

test("sizes are read as people write them", () => {
  assert.equal(["2GiB", "500 MB", "1.5k", 12, "7"].map((size) => {
    try {
      return bytesFrom(size);
    } catch {
      return "bad";
    }
  }), [2 ** 31, 5e8, "bad", 12, 7]);
  assert.throws(() => bytesFrom("much"), /accepted is a number of bytes/);
});

test.run();
