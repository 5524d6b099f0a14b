import ts from "typescript";

/**
 * How later cells take over a name: variables are declared with their type, all else is imported; `var` is a global
 * that a cell has declared.
 */
export type NameKind = "let" | "const" | "var" | "entity";

/**
 * The names that a cell gives to later cells: all that it declares at its top level, and `var`s in blocks and loops.
 */
export function declaredNames(file: ts.SourceFile): Map<string, NameKind> {
  const names = new Map<string, NameKind>();
  const declare = ({ flags, declarations }: ts.VariableDeclarationList) => {
    const kind = flags & (ts.NodeFlags.Const | ts.NodeFlags.Using) ? "const" : "let";
    for (const declaration of declarations) for (const name of boundNames(declaration.name)) names.set(name, kind);
  };
  const hoist = (node: ts.Node) => {
    if (isVarScope(node)) return;
    if (ts.isVariableDeclarationList(node) && !(node.flags & ts.NodeFlags.BlockScoped)) declare(node);
    ts.forEachChild(node, hoist);
  };
  for (const statement of file.statements) {
    if (hasModifier(statement, ts.SyntaxKind.DeclareKeyword)
      && (ts.isVariableStatement(statement) || (ts.isFunctionDeclaration(statement) && statement.name))) {
      for (const name of ts.isVariableStatement(statement)
        ? statement.declarationList.declarations.flatMap((each) => boundNames(each.name))
        : [statement.name!.text]) names.set(name, "var");
      continue;
    }
    hoist(statement);
    if (ts.isVariableStatement(statement)) declare(statement.declarationList);
    else if (ts.isImportDeclaration(statement)) {
      for (const name of importedNames(statement)) names.set(name, "entity");
    } else if (isNamedDeclaration(statement)) names.set(statement.name.text, "entity");
  }
  return names;
}

/** Names under which the cell itself exports something. */
export function exportedNames(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of file.statements) {
    if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)) {
      for (const element of statement.exportClause.elements) names.add(element.name.text);
    }
    if (!hasModifier(statement, ts.SyntaxKind.ExportKeyword) || hasModifier(statement, ts.SyntaxKind.DefaultKeyword))
      continue;
    if (isNamedDeclaration(statement)) names.add(statement.name.text);
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations)
        for (const each of boundNames(name))
          names.add(each);
    }
  }
  return names;
}

/** A node whose `var`s stay inside it. */
export function isVarScope(node: ts.Node): boolean {
  return ts.isFunctionLike(node) || ts.isModuleDeclaration(node) || ts.isClassStaticBlockDeclaration(node)
    || ts.isPropertyDeclaration(node);
}

export function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === kind);
}

type NamedDeclaration =
  & (ts.FunctionDeclaration | ts.ClassDeclaration | ts.EnumDeclaration | ts.ModuleDeclaration | ts.InterfaceDeclaration
    | ts.TypeAliasDeclaration | ts.ImportEqualsDeclaration)
  & { name: ts.Identifier };

export function isNamedDeclaration(node: ts.Node): node is NamedDeclaration {
  const declares = ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isEnumDeclaration(node)
    || ts.isModuleDeclaration(node)
    || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isImportEqualsDeclaration(node);
  return declares && node.name !== undefined && ts.isIdentifier(node.name)
    && !(node.flags & ts.NodeFlags.GlobalAugmentation);
}

function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}

function importedNames({ importClause }: ts.ImportDeclaration): string[] {
  if (!importClause) return [];
  const { name, namedBindings } = importClause;
  const bound = !namedBindings
    ? []
    : ts.isNamespaceImport(namedBindings)
    ? [namedBindings.name]
    : namedBindings.elements.map((element) => element.name);
  return [...(name ? [name] : []), ...bound].map((identifier) => identifier.text);
}
