import ts from "typescript";
import { attachComments, nodeAt } from "./attach-comments.js";
import type { NotebookProgram } from "./notebook-program.js";

interface Explanation {
  signature: string;
  documentation: string;
  tags: ts.JSDocTagInfo[];
  note: string;
}

/**
 * Type and documentation of the name at a place; inside the parentheses of a call, those of the function.
 * @param detail 1 adds the text of the declaration
 */
export function inspect(
  notebook: NotebookProgram,
  code: string,
  offset: number,
  detail: number,
): { plain: string; markdown: string } | undefined {
  const file = notebook.open(code, { origins: true });
  const onName = /[\p{ID_Continue}$]/u.test(code.slice(Math.max(0, offset - 1), offset + 1));
  const named = () => atName(notebook, file, offset) ?? atName(notebook, file, Math.max(0, offset - 1));
  const found = (onName ? named() : undefined) ?? insideCall(notebook, file, offset)
    ?? (/\S/.test(code.slice(0, offset)) ? atName(notebook, file, lastName(code, offset)) : undefined);
  if (!found) return undefined;
  const source = detail > 0 ? declarationText(notebook, file, offset) : "";
  return { plain: plain(found, source), markdown: markdown(found, source) };
}

function atName(notebook: NotebookProgram, file: string, offset: number): Explanation | undefined {
  attachComments(notebook, file, offset);
  const info = notebook.service.getQuickInfoAtPosition(file, offset);
  if (!info) return undefined;
  const { source = info, note } = provenance(notebook, file, offset, info);
  return {
    signature: notebook.readable(ts.displayPartsToString(info.displayParts)).replace(/^\(alias\) /, "").replace(
      /\nimport .*$/,
      "",
    ),
    documentation: ts.displayPartsToString(info.documentation?.length ? info.documentation : source.documentation),
    tags: info.tags?.length ? info.tags : (source.tags ?? []),
    note,
  };
}

/** Which cell a name comes from, the information there, and whether its type has been declared again since. */
function provenance(
  notebook: NotebookProgram,
  file: string,
  offset: number,
  { textSpan }: ts.QuickInfo,
): { source?: ts.QuickInfo; note: string } {
  const { text } = notebook.program.getSourceFile(file)!;
  const name = text.slice(textSpan.start, textSpan.start + textSpan.length);
  const declared = notebook.declaration(name);
  const tail = text.lastIndexOf("\u0000");
  const isEarlier = notebook.service.getDefinitionAtPosition(file, offset)?.some(({ fileName, textSpan: { start } }) =>
    fileName !== file || start > tail
  );
  if (!declared || !isEarlier) return { note: "" };
  // a variable of an earlier cell is declared anew behind this one, as `typeof import("…").name`: the name there is the
  // user's, with its comment
  const original = text.indexOf(`).${name};`, tail);
  const source = original < 0 ? undefined : notebook.service.getQuickInfoAtPosition(file, original + 2);
  const outdated = notebook.service.getTypeDefinitionAtPosition(file, offset)?.find(({ fileName, name: type }) => {
    const latest = notebook.declaration(type);
    return type !== name && latest && notebook.isCell(fileName) && latest.file !== fileName;
  });
  const notes = [`declared in cell [${declared.number}]`];
  if (outdated)
    notes.push(
      `its type is the ${outdated.name} of an earlier cell; cell `
        + `[${notebook.declaration(outdated.name)!.number}] has declared ${outdated.name} again since`,
    );
  return { source, note: notes.join("; ") };
}

function insideCall(notebook: NotebookProgram, file: string, offset: number): Explanation | undefined {
  const callee = calleeAround(notebook.program.getSourceFile(file)!, offset);
  if (callee) attachComments(notebook, file, callee.end - 1);
  const help = notebook.service.getSignatureHelpItems(file, offset, {});
  if (!help) return undefined;
  const text = (parts: ts.SymbolDisplayPart[]) => ts.displayPartsToString(parts);
  const signatures = help.items.map((item) =>
    text(item.prefixDisplayParts) + item.parameters.map((parameter) =>
      text(parameter.displayParts)
    ).join(text(item.separatorDisplayParts)) + text(item.suffixDisplayParts)
  );
  const chosen = help.items[help.selectedItemIndex]!;
  const parameter = chosen.parameters[help.argumentIndex];
  return {
    signature: notebook.readable(signatures.join("\n")),
    documentation: text(chosen.documentation),
    tags: chosen.tags,
    note: parameter
      ? `argument ${help.argumentIndex + 1}: `
        + `${text(parameter.displayParts)}${parameter.documentation.length ? `: ${text(parameter.documentation)}` : ""}`
      : "",
  };
}

/**
 * What is called by the innermost call between whose parentheses a place is; a call that is not closed ends with its
 * last token.
 */
function calleeAround(source: ts.SourceFile, offset: number): ts.Expression | undefined {
  const token = source.text.slice(0, offset).trimEnd().length - 1;
  for (let node = nodeAt(source, token); node; node = node.parent)
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && node.expression.end < offset) return node.expression;
  return undefined;
}

/** Behind `f(x)` and blanks, the name that was written last. */
function lastName(code: string, offset: number): number {
  const before = code.slice(0, offset).replace(/[^\p{ID_Continue}$]+$/u, "");
  return Math.max(0, before.length - 1);
}

function declarationText(notebook: NotebookProgram, file: string, offset: number): string {
  const [definition] = notebook.service.getDefinitionAtPosition(file, offset) ?? [];
  const source = definition && notebook.program.getSourceFile(definition.fileName);
  if (!definition?.contextSpan || !source) return "";
  return source.text.slice(definition.contextSpan.start,
    definition.contextSpan.start + Math.min(definition.contextSpan.length, 4000));
}

function tagLines(tags: ts.JSDocTagInfo[]): { name: string; text: string }[] {
  return tags.map(({ name, text }) => ({ name, text: ts.displayPartsToString(text) }));
}

function plain({ signature, documentation, tags, note }: Explanation, source: string): string {
  return [signature, note, documentation, ...tagLines(tags).map(({ name, text }) => `@${name} ${text}`), source].filter(
    Boolean,
  ).join("\n\n");
}

function markdown({ signature, documentation, tags, note }: Explanation, source: string): string {
  const code = (text: string) => `\`\`\`typescript\n${text}\n\`\`\``;
  const tag =
    ({ name, text }: { name: string;
      text: string }) => (name === "example"
        ? `*example*\n\n${/```/.test(text) ? text : code(text)}`
        : `*@${name}* ${text}`);
  return [code(signature), note && `*${note}*`, documentation, ...tagLines(tags).map(tag), source && code(source)]
    .filter(Boolean).join("\n\n");
}
