/** Expressions and statements of a template. */
export type Node =
  | { type: "const"; value: string | number | boolean | null; float?: boolean }
  | { type: "name"; name: string }
  | { type: "list" | "tuple"; items: Node[] }
  | { type: "dict"; pairs: [Node, Node][] }
  | { type: "attribute"; of: Node; name: string }
  | { type: "item"; of: Node; at: Node }
  | { type: "slice"; parts: (Node | undefined)[] }
  | { type: "call"; of: Node; args: Arguments }
  | { type: "filter"; of?: Node; name: string; args: Arguments }
  | { type: "test"; of: Node; name: string; args: Arguments }
  | { type: "not" | "negative" | "positive"; of: Node }
  | { type: "and" | "or"; left: Node; right: Node }
  | { type: "binary"; operator: string; left: Node; right: Node }
  | { type: "concat"; items: Node[] }
  | { type: "compare"; left: Node; rest: { operator: string; right: Node }[] }
  | { type: "condition"; test: Node; then: Node; otherwise?: Node };

export interface Arguments {
  positional: Node[];
  named: [string, Node][];
  spread?: Node;
  namedSpread?: Node;
}

export type Target =
  | { type: "name"; name: string }
  | { type: "member"; name: string; member: string }
  | { type: "targets"; items: Target[] };

export interface Signature {
  names: string[];
  /** of the last parameters */
  defaults: Node[];
}

export type Statement =
  | { type: "data"; text: string }
  | { type: "output"; value: Node }
  | { type: "if"; branches: { test: Node; body: Statement[] }[]; otherwise: Statement[] }
  | { type: "for"; target: Target; items: Node; test?: Node; recursive: boolean; body: Statement[];
    otherwise: Statement[] }
  | { type: "set"; target: Target; value: Node }
  | { type: "set-block"; target: Target; filter?: Node; body: Statement[] }
  | { type: "with"; targets: Target[]; values: Node[]; body: Statement[] }
  | { type: "macro"; name: string; signature: Signature; body: Statement[] }
  | { type: "call-block"; signature: Signature; call: Node; body: Statement[] }
  | { type: "filter-block"; filter: Node; body: Statement[] }
  | { type: "scope"; body: Statement[]; top: boolean }
  | { type: "break" | "continue" };
