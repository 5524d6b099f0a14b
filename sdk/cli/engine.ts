import { Command } from "commander";
import { buildEngine, type BuildEngineOptions } from "../tensor/torch/build/build-engine.js";
import { sourcesHash } from "../tensor/torch/build/compile.js";
import { engineFolders, findEngine } from "../tensor/torch/engine-folder.js";

/** `moelab engine build` and `moelab engine status`. */
export const command = new Command("engine").description("the native engine: TensorFlow.js on libtorch");

command.command("build").description(
  "download PyTorch's wheel with pip, take its libraries, compile the addon (540 MB download, 0.5 GB kept)",
).option("--shared", "into the user's cache, for all projects, instead of .engine/ here").option("--cuda",
  "for NVIDIA GPUs: with the CUDA libraries that the wheel names, where the system has none (3 GB "
    + "more; not tested on a GPU yet)").option("--wheel <file>", "a torch wheel that was downloaded before").option(
    "--torch <python>",
    "against the PyTorch that this Python has, with CUDA where it has it; nothing is downloaded",
  ).option("--sha256 <hash>", "of the wheel, if it is none of PyPI's for the pinned release").action(
    async (options: BuildEngineOptions) => {
      const started = performance.now();
      const seconds = () => `${((performance.now() - started) / 1000).toFixed(0).padStart(3)} s`;
      const folder = await buildEngine({ ...options,
        onProgress: (line) => console.log(`engine ${seconds()}  ${line}`) });
      console.log(`engine ${seconds()}  ready in ${folder}`);
    },
  );

command.command("status").description("whether an engine is there, where, and whether it fits this version").action(
  () => {
    const engine = findEngine();
    if (!engine) {
      console.log(`no engine; looked in\n${
        engineFolders().map((folder) => `  ${folder}`).join("\n")
      }\nBuild one: npx ` + "moelab engine build");
      return;
    }
    const { folder, manifest } = engine;
    console.log(
      `torch ${manifest.torch}${manifest.cuda ? " with CUDA" : ""}, ${manifest.platform}, built `
        + `${manifest.built} with ${manifest.compiler}\n${folder}`,
    );
    if (manifest.sources !== sourcesHash())
      console.log("It was compiled from other sources than this version's. Recompile: npx moelab engine build");
  },
);
