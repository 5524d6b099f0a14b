import { PROTOCOL_VERSION } from "../wire.js";

/** The content of `kernel_info_reply`. It announces only what works. */
export function kernelInfo(version: string, typescriptVersion: string) {
  return {
    status: "ok",
    protocol_version: PROTOCOL_VERSION,
    implementation: "moelab",
    implementation_version: version,
    banner: `moelab ${version}: TypeScript ${typescriptVersion} on Node ${process.versions.node}. Cells are `
      + "checked before they run.",
    language_info: {
      name: "typescript",
      version: typescriptVersion,
      mimetype: "text/typescript",
      file_extension: ".ts",
      // as an object with the name "javascript" JupyterLab highlights JavaScript
      codemirror_mode: "typescript",
      pygments_lexer: "typescript",
      nbconvert_exporter: "script",
    },
    help_links: [{ text: "TypeScript handbook", url: "https://www.typescriptlang.org/docs/handbook/intro.html" }, {
      text: "TensorFlow.js API",
      url: "https://js.tensorflow.org/api/latest/",
    }, { text: "Vega-Lite", url: "https://vega.github.io/vega-lite/docs/" }, { text: "MC-SMoE, the paper behind m-smoe",
      url: "https://arxiv.org/abs/2310.01334" }],
    debugger: false,
    supported_features: [] as string[],
  };
}
