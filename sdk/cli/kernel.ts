import { Command } from "commander";
import { installKernel, listKernels, type Place, uninstallKernel } from "../../kernels/moelab/install.js";

interface PlaceOptions extends Place {
  name?: string;
}

const place = (command: Command) =>
  command.option("--user", "for this user (the default)").option("--prefix <dir>",
    "for one environment: DIR/share/jupyter/kernels").option("--name <name>", "name of the kernel", "moelab");

export const command = new Command("kernel");
place(command.command("install").description("make the kernel known to Jupyter and VS Code; needs no Python")).option(
  "--tslab",
  "also one for stock tslab with moelab on its path",
).action(({ name = "moelab", tslab, ...where }: PlaceOptions & { tslab?: boolean }) => {
  for (const installed of installKernel({ name, tslab, ...where }))
    console.log(`installed ${installed.name} in ${installed.folder}`);
});
place(command.command("uninstall").description("remove it again")).action(
  ({ name = "moelab", ...where }: PlaceOptions) => {
    console.log(`removed ${uninstallKernel(name, where)}`);
  },
);
command.command("list").description("kernels that Jupyter finds, and whether they can start").action(() => {
  for (const { name, folder, state } of listKernels())
    console.log(`${name.padEnd(20)} ${folder}${state ? `  (${state})` : ""}`);
});
