import ts from "typescript";
import type { NotebookProgram } from "./notebook-program.js";

type Documented = ts.Node & { jsDoc?: ts.JSDoc[] };

// not in the public types
const { parseIsolatedJSDocComment } = ts as unknown as {
  parseIsolatedJSDocComment(text: string, start: number, length: number): { jsDoc: ts.JSDoc } | undefined;
};

/**
 * Library files are parsed without comments: those that belong to what stands at a place are parsed here.
 * To be called before the language service is asked, which remembers that it found none.
 */
export function attachComments({ service, program }: NotebookProgram, file: string, offset: number): void {
  for (const { fileName, textSpan } of service.getDefinitionAtPosition(file, offset) ?? []) {
    const source = program.getSourceFile(fileName);
    if (!source?.isDeclarationFile) continue;
    for (let node: Documented = nodeAt(source, textSpan.start); node !== source; node = node.parent)
      if (!ts.isToken(node)) node.jsDoc ??= comments(source, node);
  }
}

/** The innermost node around a place. */
export function nodeAt(source: ts.SourceFile, offset: number): ts.Node {
  let found: ts.Node = source;
  for (let inner: ts.Node | undefined = source; inner;
    inner = ts.forEachChild(found, (child) => (child.pos <= offset && offset < child.end ? child : undefined)))
    found = inner;
  return found;
}

function comments({ text }: ts.SourceFile, node: ts.Node): ts.JSDoc[] | undefined {
  const ranges = (ts.getLeadingCommentRanges(text, node.pos) ?? []).filter(({ pos }) =>
    text.startsWith("/**", pos) && text[pos + 3] !== "/"
  );
  const parsed = ranges.flatMap(({ pos, end }) => parseIsolatedJSDocComment(text, pos, end - pos)?.jsDoc ?? []);
  for (const comment of parsed) Object.assign(comment, { parent: node });
  return parsed.length > 0 ? parsed : undefined;
}
