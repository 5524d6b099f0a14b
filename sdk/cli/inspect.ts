import { Command } from "commander";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { specFromConfig } from "../checkpoint/family.js";
import { resolveModel } from "../checkpoint/hub.js";
import { readConfig } from "../checkpoint/open-model.js";
import { openTensors } from "../checkpoint/safetensors.js";
import { tensorSummary } from "../checkpoint/tensor-summary.js";
import { MoeError } from "../errors.js";
import { architectureCard } from "../evaluate/architecture-card.js";
import { formatBytes, formatCount } from "../view/format.js";
import { table } from "../view/table.js";

/** `moelab inspect MODEL`: what a checkpoint holds, from its headers alone. */
export const command = new Command("inspect")
  .description("what a checkpoint holds: tensors by part and dtype, from the headers alone")
  .argument("<model>", "a folder, a .safetensors or .gguf file, a bundled name, or org/name[@revision]")
  .option("--json", "as JSON, for programs")
  .action(async (model: string, { json }: { json?: boolean }) => {
    const path = await resolveModel(model);
    const store = await openTensors(path);
    try {
      const groups = tensorSummary(store);
      if (json) return console.log(JSON.stringify(groups, null, 2));
      if (existsSync(join(path, "config.json"))) await printCard(path);
      const columns = { part: "text", dtype: "text", tensors: "number", shape: "text", elements: "count", sizeBytes: { format: "bytes", title: "bytes" } } as const;
      console.log(table(groups, { columns, maxRows: groups.length }).toText());
      const sum = (key: "tensors" | "elements" | "sizeBytes") => groups.reduce((total, group) => total + group[key], 0);
      console.log(`\n${sum("tensors")} tensors, ${formatCount(sum("elements"))} elements, ${formatBytes(sum("sizeBytes"))}`);
    } finally {
      await store.close();
    }
  });

/** A model of an unknown family still shows its tensors. */
async function printCard(folder: string): Promise<void> {
  try {
    for (const { name, value } of architectureCard(await specFromConfig(await readConfig(folder)))) console.log(`${name.padEnd(20)} ${value}`);
  } catch (error) {
    if (!(error instanceof MoeError)) throw error;
    console.log(error.message);
  }
  console.log();
}
