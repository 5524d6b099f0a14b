import { Command } from "commander";
import { cleanNotebook } from "../../kernels/headless/clean-notebook.js";
import { readNotebook, writeNotebook } from "../../kernels/headless/notebook.js";

export const command = new Command("clean").argument("<notebooks...>", "paths of .ipynb files, changed in place")
  .option("--outputs", "remove outputs and execution counts too").option("--check",
    "change nothing; exit with 1 if a notebook is not clean").action(
    async (files: string[], { outputs = false, check = false }: { outputs?: boolean; check?: boolean }) => {
      for (const file of files) {
        const notebook = readNotebook(file);
        const before = JSON.stringify(notebook);
        cleanNotebook(notebook, { outputs });
        const changed = JSON.stringify(notebook) !== before;
        if (changed && check) {
          console.error(`${file} is not clean`);
          process.exitCode = 1;
        } else if (changed) {
          await writeNotebook(file, notebook, { verb: "clean", replaces: () => true }); // it was read as a notebook
          console.log(`cleaned ${file}`);
        }
      }
    },
  );
