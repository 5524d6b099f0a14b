import { Command } from "commander";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { newNotebook } from "../../kernels/headless/new-notebook.js";
import { writeNotebook } from "../../kernels/headless/notebook.js";
import { MoeError } from "../errors.js";

export const command = new Command("new").argument("<name>", "name of the notebook, with or without .ipynb").action(
  (name: string) => {
    const file = name.endsWith(".ipynb") ? name : `${name}.ipynb`;
    if (existsSync(file))
      throw new MoeError("exists",
        `new: ${file} is there already; accepted is a name that is free. Choose another one.`);
    writeNotebook(file, newNotebook(basename(file, ".ipynb")));
    console.log(`${file}\nrun it:  moelab run ${file} --html\nopen it: moelab lab ${file}`);
  },
);
