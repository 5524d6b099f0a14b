// Notes how transformers spreads the weights of new models (`.ci/new-models.py`), by moelab's names without numbers:
// mean and standard deviation, and of the first logits their standard deviation and the loss.
// usage: node --import tsx .ci/initial-deviations.ts FOLDER FILE
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openModel } from "../sdk/checkpoint/open-model.js";
import { expectedTensors } from "../sdk/model/expected-tensors.js";
import { ready } from "../sdk/tensor/index.js";
import { spread } from "../test/support/spread.js";

const [folder, file] = process.argv.slice(2);
await ready();
const every: Record<string, unknown> = {};
for (const name of readdirSync(folder).sort()) {
  const { model } = await openModel(join(folder, name));
  const { std, loss } = JSON.parse(readFileSync(join(folder, name, "logits.json"), "utf8"));
  every[name] = { logits: [std, loss], weights: await spread(expectedTensors(model.spec), model.weights) };
  await model.dispose();
}
const lines = Object.entries(every).map(([name, values]) => `  ${JSON.stringify(name)}: ${JSON.stringify(values)}`);
writeFileSync(file, `{\n${lines.join(",\n")}\n}\n`);
