import { newId, type Notebook, type NotebookCell } from "./notebook.js";

/** The template of `moelab new`: a study with its parameters, the chain, and room for what it shows. */
export function newNotebook(title: string): Notebook {
  const markdown = (source: string): NotebookCell => ({ cell_type: "markdown", id: newId(), metadata: {}, source });
  const code = (source: string, ...tags: string[]): NotebookCell => ({ cell_type: "code", id: newId(),
    metadata: tags.length ? { tags } : {}, source, outputs: [], execution_count: null });
  return {
    cells: [markdown(`# ${title}\n\nWhat is asked, and what would be an answer.`),
      code(`// moelab run sets these: -p keep=0.5 -p seed=2\nlet keep = 0.25;\nlet seed = 1;`, "parameters"),
      code(
        `import { moe } from "moelab";\n\nconst study = await moe.load("nano-switch")\n  .profile({ seed `
          + `})\n  .merge({ method: "m-smoe", keep })\n  .evaluate();\nstudy`,
      ), markdown("What is seen, and what this small model cannot show.")],
    metadata: { kernelspec: { name: "moelab", display_name: "TypeScript (moelab)", language: "typescript" },
      language_info: { name: "typescript", file_extension: ".ts", mimetype: "text/typescript",
        codemirror_mode: "typescript" } },
    nbformat: 4,
    nbformat_minor: 5,
  };
}
