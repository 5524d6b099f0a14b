import { Command } from "commander";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { packageFolder } from "../../kernels/headless/kernel-spec.js";
import { installKernel } from "../../kernels/moelab/install.js";
import { MoeError } from "../errors.js";

export const command = new Command("lab").argument("[path]",
  "a notebook or a folder (default: the notebooks here, else those of the package)").allowUnknownOption().option(
    "--print",
    "print the command instead of running it",
  ).action(openLab);

/** Starts JupyterLab with our kernels known to this server alone: nothing is installed. */
function openLab(path: string | undefined, { print = false }: { print?: boolean }): void {
  const target = resolve(path ?? (existsSync("notebooks") ? "notebooks" : join(packageFolder(), "notebooks")));
  if (!existsSync(target))
    throw new MoeError("no-notebook",
      `lab: ${target} is not there; accepted is a notebook or a folder. Check the path, or make one with `
        + `\`moelab new NAME\`.`);
  const jupyter = [["jupyter", "lab"], ["python3", "-m", "jupyterlab"], ["python", "-m", "jupyterlab"]].find(
    ([command, ...args]) => spawnSync(command!, [...args, "--version"], { stdio: "ignore" }).status === 0
  );
  if (!jupyter)
    throw new MoeError("no-jupyterlab",
      "lab: JupyterLab is not installed; accepted is JupyterLab 4. Get it with `pip install jupyterlab`, "
        + "or run notebooks without it: `moelab run NOTEBOOK --html`.");
  const data = mkdtempSync(join(tmpdir(), "moelab-lab-"));
  installKernel({ name: "moelab", prefix: data });
  const [command, ...args] = [...jupyter, target,
    `--notebook-dir=${statSync(target).isDirectory() ? target : dirname(target)}`];
  if (print) return console.log([command, ...args].join(" "));
  const env = { ...process.env,
    JUPYTER_PATH: [join(data, "share/jupyter"), process.env.JUPYTER_PATH].filter(Boolean).join(delimiter) };
  const server = spawn(command!, args, { stdio: "inherit", env });
  process.on("SIGINT", () => {}); // JupyterLab asks what Ctrl-C means
  server.on("exit", (code) => {
    rmSync(data, { recursive: true, force: true });
    process.exitCode = code ?? 1;
  });
}
