// The `moelab` command. Each subcommand is a file of its own, loaded when it is asked for.
import { Command } from "commander";
import { createRequire } from "node:module";
import { MoeError } from "../errors.js";

interface Entry {
  description: string;
  load(): Promise<{ command: Command }>;
}

const commands: Record<string, Entry> = {
  run: { description: "execute notebooks without a browser", load: () => import("./run.js") },
  new: { description: "make a notebook from a template", load: () => import("./new.js") },
  clean: { description: "strip what changes with every run from notebooks", load: () => import("./clean.js") },
  study: { description: "run, resume and judge studies of papers", load: () => import("./study.js") },
  trace: { description: "what routing traces hold", load: () => import("./trace.js") },
  lab: { description: "open JupyterLab on the notebooks", load: () => import("./lab.js") },
  doctor: { description: "what computes here, how fast, and what would make it better",
    load: () => import("./doctor.js") },
  inspect: { description: "what a checkpoint holds, from its headers alone", load: () => import("./inspect.js") },
  family: { description: "try an architecture file against a checkpoint", load: () => import("./family.js") },
  engine: { description: "build and check the native engine", load: () => import("./engine.js") },
  kernel: { description: "install, list and remove the notebook kernels", load: () => import("./kernel.js") },
};

async function main(argv: string[]): Promise<void> {
  const { version } = createRequire(import.meta.url)("moelab/package.json");
  const program = new Command("moelab").description("Research on Mixture-of-Experts models in TypeScript notebooks.")
    .version(version);
  const asked = argv.find((argument) => !argument.startsWith("-"));
  for (const [name, { description, load }] of Object.entries(commands)) {
    if (name === asked) program.addCommand((await load()).command.name(name).description(description));
    else program.addCommand(new Command(name).description(description));
  }
  if (argv.length === 0) program.help();
  await program.parseAsync(argv, { from: "user" });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof MoeError ? error.message : error);
  process.exitCode = error instanceof MoeError ? 2 : 1;
});
