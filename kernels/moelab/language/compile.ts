import type { Compilation, CompiledCell } from "../threads.js";
import { bareObject } from "./bare-object.js";
import { Diagnostics } from "./diagnostics.js";
import type { NotebookProgram } from "./notebook-program.js";
import { rewriteCell } from "./rewrite.js";

/** Checks cells and turns them into JavaScript that the runner can run. */
export class Compiler {
  private readonly diagnostics: Diagnostics;
  /** declares what the cell that was compiled last declares */
  private declare?: () => void;
  /** told once, with the first cell that passes */
  private note?: string;

  constructor(private readonly notebook: NotebookProgram) {
    this.note = notebook.note;
    this.diagnostics = new Diagnostics(notebook);
  }

  /** A cell that passes has JavaScript; it is part of the notebook when it starts to run. */
  compile(written: string, number: number): Compilation {
    const code = bareObject(written);
    const file = this.notebook.open(code, { number });
    const error = this.diagnostics.check(file, code);
    if (error) return { ok: false, error };
    this.declare = this.notebook.prepare();
    const { note } = this;
    this.note = undefined;
    return { ok: true, cell: this.emit(file, code), note };
  }

  /** The cell that was compiled last starts to run. */
  start(): void {
    this.declare?.();
    this.declare = undefined;
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
    program.emit(program.getSourceFile(file), (name, text) => {
      if (name.endsWith(".map")) map = text;
      else js = text;
    }, undefined, false, { before: [rewriteCell(program, code.length)] });
    return { js: js.replace(/^#!.*/, "").replace(/^(export \{\};|\/\/# sourceMappingURL=.*)$/gm, ""), map };
  }
}
