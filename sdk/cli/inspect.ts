import { Command } from "commander";
import { inspectModel } from "../evaluate/inspection.js";

/** `moelab inspect MODEL`: what a checkpoint holds, from its headers alone. */
export const command = new Command("inspect").description(
  "what a checkpoint holds: architecture and tensors by part and dtype, from the headers alone",
).argument("<model>", "a folder, a .safetensors or .gguf file, a bundled name, or org/name[@revision]").option("--json",
  "the tensors as JSON, for programs").option("--family <file>",
    "your own family file; default the bundled one for its model_type").action(
    async (model: string, { json, family }: { json?: boolean; family?: string }) => {
      const inspection = await inspectModel(model, { family });
      console.log(json ? JSON.stringify(inspection.tensors, null, 2) : inspection.toText());
    },
  );
