import { Command } from "commander";
import { familyOf, readFamily } from "../checkpoint/family.js";
import { resolveModel } from "../checkpoint/hub.js";
import { openPlaces } from "../checkpoint/open-model.js";
import { readConfig } from "../checkpoint/read-config.js";
import { architectureCard } from "../evaluate/architecture-card.js";

/** `moelab family check MODEL [--family FILE]`: whether a family file explains a checkpoint. */
export const command = new Command("family").description("try an architecture file against a checkpoint");

command.command("check").description(
  "config.json and every tensor of a checkpoint against a family file; weights are not read",
).argument("<model>", "a folder, a bundled name, or org/name[@revision]").option("--family <file>",
  "your own family file; default the bundled one for its model_type").action(
    async (model: string, { family: file }: { family?: string }) => {
      const folder = await resolveModel(model);
      const config = await readConfig(folder);
      const family = file ? readFamily(file) : familyOf(config);
      const { spec, places, store, notes } = await openPlaces(folder, config, family);
      try {
        for (const { name, value } of architectureCard(spec)) console.log(`${name.padEnd(20)} ${value}`);
        const used = new Set([...places.values()].map(({ name }) => name));
        const left = [...store.names()].filter((name) => !used.has(name));
        console.log(
          `\n${places.size} weights in ${used.size} tensors, names and shapes `
            + `agree${
              left.length ? `; ${left.length} tensors are copies or not run: ` + `${left.slice(0, 5).join(", ")}` : ""
            }`,
        );
        for (const note of notes) console.log(note);
      } finally {
        await store.close();
      }
    },
  );
