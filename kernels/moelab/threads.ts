// What the kernel's three threads say to each other.
//
//   server    owns the sockets and the protocol; never runs a line of a cell, so it always answers
//   language  owns TypeScript: checks and compiles cells, completes, explains
//   runner    the process's main thread: runs the compiled cells, nothing else

export interface Bundle {
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
}

export interface ErrorReport {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** A cell that passed its type check. */
export interface CompiledCell {
  js: string;
  /** source map from `js` to the cell's text, as JSON */
  map: string;
}

/** `note`: a line that the user is to see beside the cell's output */
export type Compilation = { ok: true; cell: CompiledCell; note?: string } | { ok: false; error: ErrorReport };

export interface CompletionResult {
  matches: { text: string; kind: string }[];
  /** UTF-16 offsets of the text that a match replaces */
  start: number;
  end: number;
}

/** Questions to the language thread. Offsets are UTF-16. */
export interface LanguageService {
  /** @param number what the front end shows as `[number]` */
  compile(code: string, number: number): Compilation;
  /** the cell that was compiled last starts to run: its names are declared */
  start(): void;
  /** compiles an expression of the front end (`user_expressions`); it declares nothing */
  compileExpression(code: string): Compilation;
  complete(code: string, offset: number): CompletionResult;
  inspect(code: string, offset: number, detail: number): { plain: string; markdown: string } | undefined;
  isComplete(code: string): { status: "complete" | "incomplete" | "invalid"; indent?: string };
}

export interface RunRequest {
  /** identifies one execution for the life of the kernel */
  key: number;
  number: number;
  source: string;
  compiled: CompiledCell;
  allowInput: boolean;
}

export type ToRunner =
  | { type: "run"; request: RunRequest }
  | { type: "evaluate"; key: number; compiled: CompiledCell }
  | { type: "prefetch"; specifier: string }
  | { type: "interrupt"; upTo: number }
  | { type: "input"; key: number; value: string }
  | { type: "comm"; kind: "open" | "msg" | "close"; content: Record<string, any> }
  | { type: "exit" };

export type Outcome = { status: "ok"; value?: Bundle } | ({ status: "error" } & ErrorReport);

export type ToServer =
  | { type: "stream"; key: number; name: "stdout" | "stderr"; text: string }
  | { type: "display"; key: number; bundle: Bundle; id?: string; update: boolean }
  | { type: "clear"; key: number; wait: boolean }
  | { type: "done"; key: number; outcome: Outcome }
  | { type: "evaluated"; key: number; outcome: Outcome }
  | { type: "interrupted" }
  | { type: "child"; key: number; pid: number }
  | { type: "input"; key: number; prompt: string; password: boolean }
  | { type: "comm-target"; name: string; served: boolean }
  | { type: "comm"; key: number; kind: "open" | "msg" | "close"; content: Record<string, any> }
  | { type: "settle"; reached: Int32Array }
  | { type: "exiting"; key: number; code: number; flushed: SharedArrayBuffer };
