import ts from "typescript";
import type { Compilation, CompiledCell } from "../threads.js";
import { Diagnostics } from "./diagnostics.js";
import type { NotebookProgram } from "./notebook-program.js";
import { rewriteCell } from "./rewrite.js";

/** Checks cells and turns them into JavaScript that the runner can run. */
export class Compiler {
  private readonly diagnostics: Diagnostics;

  constructor(private readonly notebook: NotebookProgram) {
    this.diagnostics = new Diagnostics(notebook);
  }

  /** A cell that passes is part of the notebook from then on. */
  compile(code: string, number: number): Compilation {
    const file = this.notebook.open(code, { number });
    const error = this.diagnostics.check(file, code);
    if (error) return { ok: false, error };
    const cell = this.emit(file, code);
    this.notebook.commit();
    return { ok: true, cell };
  }

  /** An expression that sees the notebook's names and declares none. */
  compileExpression(code: string): Compilation {
    const wrapped = `(${code}\n)`;
    const file = this.notebook.open(wrapped);
    const error = this.diagnostics.check(file, wrapped);
    return error ? { ok: false, error } : { ok: true, cell: this.emit(file, wrapped) };
  }

  private emit(file: string, code: string): CompiledCell {
    const { program } = this.notebook;
    let js = "";
    let map = "";
    program.emit(
      program.getSourceFile(file),
      (name, text) => {
        if (name.endsWith(".map")) map = text;
        else js = text;
      },
      undefined,
      false,
      { before: [rewriteCell(program, code.length)] },
    );
    return { js: js.replace(/^(export \{\};|\/\/# sourceMappingURL=.*)$/gm, ""), map };
  }
}
