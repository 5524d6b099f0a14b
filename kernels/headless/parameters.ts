import ts from "typescript";
import { MoeError, suggest } from "../../sdk/errors.js";
import { newId, type Notebook, type NotebookCell, sourceOf, tagsOf } from "./notebook.js";

/** A variable of the cell tagged `parameters`. */
interface Parameter {
  name: string;
  /** annotation as written, or the type of the default */
  type: string;
  kind: "number" | "string" | "boolean" | "json";
  /** for a union of literals */
  choices?: string[];
}

/**
 * Puts a cell with the given values behind the cell tagged `parameters` (the convention of papermill).
 * A value is read as the type of the parameter's annotation or default; a value or a name that does not fit is refused.
 *
 * @param given `{ keep: "0.25" }`, as text from the command line
 * @throws MoeError `no-parameters`, `unknown-parameter`, `bad-parameter`
 */
export function setParameters(notebook: Notebook, given: Record<string, string>): void {
  notebook.cells = notebook.cells.filter((cell) => !tagsOf(cell).includes("injected-parameters"));
  if (Object.keys(given).length === 0) return;
  const index = notebook.cells.findIndex((cell) => cell.cell_type === "code" && tagsOf(cell).includes("parameters"));
  if (index < 0)
    throw new MoeError("no-parameters",
      `run: -p ${Object.keys(given).join(", ")} was given, the notebook has no parameters; accepted is a `
        + `notebook with a code cell tagged "parameters". Tag the cell that sets them.`);
  const python = /python/i.test(
    String(notebook.metadata.kernelspec?.language ?? notebook.metadata.language_info?.name ?? ""),
  );
  const parameters = python
    ? pythonParameters(sourceOf(notebook.cells[index]!))
    : typescriptParameters(sourceOf(notebook.cells[index]!));
  const statements = Object.entries(given).map(([name, text]) => {
    const parameter = parameters.find((candidate) => candidate.name === name);
    if (!parameter)
      throw new MoeError("unknown-parameter",
        `run: parameter "${name}" is not in the notebook. `
          + `${suggest(name, parameters.map((candidate) => candidate.name))}`);
    const value = read(parameter, text);
    return python ? `${name} = ${pythonLiteral(value)}` : `let ${name}: ${parameter.type} = ${JSON.stringify(value)};`;
  });
  const cell: NotebookCell = { cell_type: "code", id: newId(), metadata: { tags: ["injected-parameters"] },
    source: [`${python ? "#" : "//"} set by moelab run`, ...statements].join("\n"), outputs: [],
    execution_count: null };
  notebook.cells.splice(index + 1, 0, cell);
}

function read({ name, kind, type, choices }: Parameter, text: string): unknown {
  const refuse = (accepted: string): never => {
    throw new MoeError("bad-parameter",
      `run: parameter ${name} is "${text}"; accepted is ${accepted}. Change -p ${name}=…`);
  };
  if (choices) return choices.includes(text) ? text : refuse(choices.join(", "));
  if (kind === "string") return text;
  if (kind === "number") return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : refuse("a number");
  if (kind === "boolean") return text === "true" || text === "false" ? text === "true" : refuse("true or false");
  try {
    return JSON.parse(text);
  } catch {
    return refuse(`JSON for ${type}`);
  }
}

function typescriptParameters(source: string): Parameter[] {
  const file = ts.createSourceFile("parameters.ts", source, ts.ScriptTarget.Latest, true);
  const found: Parameter[] = [];
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, type, initializer } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(name)) continue;
      found.push({ name: name.text, ...(type ? annotated(type) : byDefault(initializer)) });
    }
  }
  return found;
}

function annotated(type: ts.TypeNode): Omit<Parameter, "name"> {
  const text = type.getText();
  if (type.kind === ts.SyntaxKind.NumberKeyword) return { type: text, kind: "number" };
  if (type.kind === ts.SyntaxKind.StringKeyword) return { type: text, kind: "string" };
  if (type.kind === ts.SyntaxKind.BooleanKeyword) return { type: text, kind: "boolean" };
  const members = ts.isUnionTypeNode(type) ? type.types : [type];
  const literals = members.map(
    (member) => (ts.isLiteralTypeNode(member) && ts.isStringLiteral(member.literal) ? member.literal.text : undefined)
  );
  return literals.every((literal) => literal !== undefined)
    ? { type: text, kind: "string", choices: literals }
    : { type: text, kind: "json" };
}

function byDefault(initializer: ts.Expression | undefined): Omit<Parameter, "name"> {
  let value = initializer;
  while (value
    && (ts.isAsExpression(value) || ts.isParenthesizedExpression(value) || ts.isSatisfiesExpression(value))) {
    if (!ts.isParenthesizedExpression(value) && value.type.getText() !== "const") return annotated(value.type);
    value = value.expression;
  }
  if (value && ts.isPrefixUnaryExpression(value)) value = value.operand;
  if (value && ts.isNumericLiteral(value)) return { type: "number", kind: "number" };
  if (value && ts.isStringLiteralLike(value)) return { type: "string", kind: "string" };
  if (value?.kind === ts.SyntaxKind.TrueKeyword || value?.kind === ts.SyntaxKind.FalseKeyword)
    return { type: "boolean", kind: "boolean" };
  return { type: "any", kind: "json" };
}

function pythonParameters(source: string): Parameter[] {
  return [...source.matchAll(/^(\w+)\s*(?::\s*[\w.[\], ]+)?\s*=\s*(.+?)\s*(?:#.*)?$/gm)].map(([, name, value]) => {
    const kind = /^[-+]?[\d.]+(e[-+]?\d+)?$/i.test(value!)
      ? "number"
      : /^(True|False)$/.test(value!)
      ? "boolean"
      : /^['"]/.test(value!)
      ? "string"
      : "json";
    return { name: name!, type: kind, kind };
  });
}

function pythonLiteral(value: unknown): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value === "object")
    return `{${
      Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${pythonLiteral(item)}`).join(", ")
    }}`;
  return JSON.stringify(value);
}
