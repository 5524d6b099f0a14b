import { Command } from "commander";
import { basename } from "node:path";
import { newNotebook } from "../../kernels/headless/new-notebook.js";
import { writeNotebook } from "../../kernels/headless/notebook.js";

export const command = new Command("new").argument("<name>", "name of the notebook, with or without .ipynb").action(
  async (name: string) => {
    const file = name.endsWith(".ipynb") ? name : `${name}.ipynb`;
    await writeNotebook(file, newNotebook(basename(file, ".ipynb")), { verb: "new", replaces: () => false });
    console.log(`${file}\nrun it:  moelab run ${file} --html\nopen it: moelab lab ${file}`);
  },
);
