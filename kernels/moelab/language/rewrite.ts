import ts from "typescript";
import { hasModifier, isNamedDeclaration, isVarScope } from "./declared-names.js";

const { factory } = ts;

/** Parameters of the function that a cell becomes; see `Runner.value`. */
const VARIABLES = "__vars";
const SERVICES = "__cell";

/**
 * Turns a cell's module into the body of an async function whose top-level names live in one object shared by all
 * cells.
 *
 * - every reference to a top-level name, of this cell or an earlier one, becomes a property: no cell keeps a stale
 *   copy;
 * - imports become `await` of the kernel's own import, `import.meta` and `import()` likewise;
 * - `await x` asks before and after whether the cell was interrupted;
 * - the last expression is returned, in an array so that a promise is not awaited.
 *
 * It runs before TypeScript's own transformers, on the tree that the checker knows; they then lower types, enums,
 * namespaces, decorators and `using`.
 *
 * @param codeEnd length of the cell's own text: what follows was added for the checker
 */
export function rewriteCell(program: ts.Program, codeEnd: number): ts.TransformerFactory<ts.SourceFile> {
  const checker = program.getTypeChecker();
  return (context) => (file) => new CellRewriter(checker, context, file, codeEnd).rewrite();
}

class CellRewriter {
  constructor(
    private readonly checker: ts.TypeChecker,
    private readonly context: ts.TransformationContext,
    private readonly file: ts.SourceFile,
    private readonly codeEnd: number,
  ) {}

  rewrite(): ts.SourceFile {
    const own = this.file.statements.filter((statement) =>
      statement.pos < this.codeEnd && !ts.isEmptyStatement(statement)
    );
    const hoisted: ts.Statement[] = [];
    const body: ts.Statement[] = [];
    for (const [index, statement] of own.entries()) {
      if (ts.isImportDeclaration(statement)) hoisted.push(...this.importStatements(statement));
      else if (ts.isExportDeclaration(statement)) hoisted.push(...this.reexport(statement));
      else if (ts.isFunctionDeclaration(statement) && statement.name && statement.body) {
        // the declaration itself is hoisted by JavaScript, its publication must be too
        hoisted.push(this.publish(statement.name), this.withoutExport(this.visit(statement) as ts.FunctionDeclaration));
      } else body.push(...this.topLevel(statement, index === own.length - 1));
    }
    for (const name of this.hoistedVariables()) hoisted.unshift(this.assign(name, factory.createVoidZero()));
    const uses = own.some((statement) => ts.isVariableStatement(statement) && isUsing(statement.declarationList));
    // disposed when the cell ends: in a block, `using` needs nothing of a module
    const statements = uses ? [...hoisted, factory.createBlock(body, true)] : [...hoisted, ...body];
    return this.context.factory.updateSourceFile(this.file, statements);
  }

  private topLevel(statement: ts.Statement, last: boolean): ts.Statement[] {
    if (hasModifier(statement, ts.SyntaxKind.DeclareKeyword) || ts.isInterfaceDeclaration(statement)
      || ts.isTypeAliasDeclaration(statement)) return [];
    if (ts.isVariableStatement(statement)) return this.variables(statement);
    if (ts.isExportAssignment(statement)) return [this.value(statement.expression, last, statement)];
    if (ts.isExpressionStatement(statement)) return [this.value(statement.expression, last, statement)];
    if (ts.isImportEqualsDeclaration(statement)) return this.importEquals(statement);
    if (isNamedDeclaration(statement)) {
      if (ts.isFunctionDeclaration(statement)) return []; // an overload
      if (ts.isModuleDeclaration(statement) && !isInstantiated(statement)) return [];
      return [this.withoutExport(this.visit(statement) as ts.Statement), this.publish(statement.name)];
    }
    // `export default` of something without a name
    if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) return [];
    return [this.visit(statement) as ts.Statement].flat();
  }

  /** The value of the last expression is the cell's. */
  private value(expression: ts.Expression, last: boolean, at: ts.Statement): ts.Statement {
    const visited = this.visit(expression) as ts.Expression;
    const statement = last
      ? factory.createReturnStatement(factory.createArrayLiteralExpression([visited]))
      : factory.createExpressionStatement(visited);
    return ts.setTextRange(statement, at);
  }

  /** `const x = 1` becomes `vars.x = 1`; `using x = y` stays, for its disposal, and is published. */
  private variables(statement: ts.VariableStatement): ts.Statement[] {
    const { declarationList } = statement;
    if (isUsing(declarationList)) {
      return declarationList.declarations.flatMap((declaration) => {
        const local = factory.createUniqueName("resource");
        const declared = factory.createVariableDeclaration(local, undefined, undefined,
          declaration.initializer && (this.visit(declaration.initializer) as ts.Expression));
        const list = factory.createVariableDeclarationList([declared],
          declarationList.flags & ts.NodeFlags.BlockScoped);
        return [ts.setTextRange(factory.createVariableStatement(undefined, list), statement),
          this.assign((declaration.name as ts.Identifier).text, local)];
      });
    }
    const isVar = !(declarationList.flags & ts.NodeFlags.BlockScoped);
    return declarationList.declarations.filter((declaration) => declaration.initializer || !isVar).map((declaration) =>
      ts.setTextRange(factory.createExpressionStatement(this.initialise(declaration)), declaration)
    );
  }

  /** The assignment that a declaration does. */
  private initialise({ name, initializer }: ts.VariableDeclaration): ts.Expression {
    const value = initializer ? this.named(name, initializer) : factory.createVoidZero();
    const assignment = factory.createAssignment(this.target(name), value);
    return ts.isObjectBindingPattern(name) ? factory.createParenthesizedExpression(assignment) : assignment;
  }

  /** `const f = () => 1` names the function f; an assignment to a property would not. */
  private named(name: ts.BindingName, initializer: ts.Expression): ts.Expression {
    const visited = this.visit(initializer) as ts.Expression;
    let inner = initializer;
    while (ts.isParenthesizedExpression(inner) || ts.isAsExpression(inner) || ts.isSatisfiesExpression(inner)
      || ts.isNonNullExpression(inner)) inner = inner.expression;
    const anonymous = ts.isArrowFunction(inner)
      || ((ts.isFunctionExpression(inner) || ts.isClassExpression(inner)) && !inner.name);
    if (!anonymous || !ts.isIdentifier(name)) return visited;
    const holder = factory.createObjectLiteralExpression([
      factory.createPropertyAssignment(factory.createStringLiteral(name.text), visited),
    ]);
    return factory.createElementAccessExpression(factory.createParenthesizedExpression(holder),
      factory.createStringLiteral(name.text));
  }

  /** A binding pattern as the target of an assignment. */
  private target(name: ts.BindingName): ts.Expression {
    if (ts.isIdentifier(name)) return ts.setTextRange(this.variable(name.text), name);
    const withDefault = ({ name: bound, initializer }: ts.BindingElement) =>
      initializer ? factory.createAssignment(this.target(bound), this.named(bound, initializer)) : this.target(bound);
    if (ts.isArrayBindingPattern(name)) {
      return factory.createArrayLiteralExpression(
        name.elements.map((element) => (ts.isOmittedExpression(element)
          ? element
          : element.dotDotDotToken
          ? factory.createSpreadElement(this.target(element.name))
          : withDefault(element))
        ),
      );
    }
    return factory.createObjectLiteralExpression(name.elements.map((element) => {
      if (element.dotDotDotToken) return factory.createSpreadAssignment(this.target(element.name));
      const key = element.propertyName ?? (element.name as ts.Identifier);
      const property = ts.isComputedPropertyName(key)
        ? factory.createComputedPropertyName(this.visit(key.expression) as ts.Expression)
        : ts.isIdentifier(key)
        ? factory.createIdentifier(key.text)
        : key;
      return factory.createPropertyAssignment(property, withDefault(element));
    }));
  }

  private importStatements(statement: ts.ImportDeclaration): ts.Statement[] {
    const { importClause } = statement;
    const specifier = (statement.moduleSpecifier as ts.StringLiteral).text;
    if (importClause?.isTypeOnly) return [];
    const named = importClause?.namedBindings;
    const bindings: [local: ts.Identifier, imported: string][] = [];
    if (importClause?.name) bindings.push([importClause.name, "default"]);
    if (named && ts.isNamedImports(named)) {
      for (const element of named.elements)
        if (!element.isTypeOnly) bindings.push([element.name, (element.propertyName ?? element.name).text]);
    }
    const values = bindings.filter(([local]) => this.isValue(local));
    const whole = named && ts.isNamespaceImport(named) ? named.name : undefined;
    // as in TypeScript, an import of types alone loads nothing
    if (importClause && values.length === 0 && !whole
      && bindings.length + (named && ts.isNamedImports(named) ? named.elements.length : 0) > 0) return [];
    const namespace = factory.createUniqueName("module");
    const load = this.awaited(this.service("import", [factory.createStringLiteral(specifier)]));
    const declaration = factory.createVariableStatement(undefined,
      factory.createVariableDeclarationList([factory.createVariableDeclaration(namespace, undefined, undefined, load)],
        ts.NodeFlags.Const));
    return [ts.setTextRange(declaration, statement), ...(whole ? [this.assign(whole.text, namespace)] : []),
      ...values.map(([local, imported]) =>
        factory.createExpressionStatement(
          this.service("bind", [factory.createStringLiteral(local.text), namespace,
            factory.createStringLiteral(imported), factory.createStringLiteral(specifier)]),
        )
      )];
  }

  /** `export … from "./x"` loads the module; a cell has nobody to export to. */
  private reexport({ moduleSpecifier, isTypeOnly }: ts.ExportDeclaration): ts.Statement[] {
    if (!moduleSpecifier || isTypeOnly) return [];
    return [
      factory.createExpressionStatement(
        this.awaited(this.service("import", [factory.createStringLiteral((moduleSpecifier as ts.StringLiteral).text)])),
      ),
    ];
  }

  /** `import x = require("y")` and `import x = Some.Namespace` */
  private importEquals({ name, moduleReference, isTypeOnly }: ts.ImportEqualsDeclaration): ts.Statement[] {
    if (isTypeOnly || !this.isValue(name)) return [];
    if (ts.isExternalModuleReference(moduleReference)) {
      return [
        this.assign(name.text,
          factory.createCallExpression(factory.createIdentifier("require"), undefined, [
            factory.createStringLiteral((moduleReference.expression as ts.StringLiteral).text),
          ])),
      ];
    }
    const value =
      (entity:
        ts.EntityName): ts.Expression => (ts.isIdentifier(entity)
          ? (this.visit(entity) as ts.Expression)
          : factory.createPropertyAccessExpression(value(entity.left), entity.right));
    return [this.assign(name.text, value(moduleReference))];
  }

  private isValue(name: ts.Identifier): boolean {
    const symbol = this.checker.getSymbolAtLocation(name);
    if (!symbol) return true;
    const target = symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
    return this.checker.isUnknownSymbol(target) || (target.flags & ts.SymbolFlags.Value) !== 0;
  }

  private readonly visit = (node: ts.Node): ts.Node | ts.Node[] => {
    if (ts.isExpressionWithTypeArguments(node)) return ts.visitEachChild(node, this.visit as ts.Visitor, this.context);
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return node;
    if (ts.isIdentifier(node))
      return this.isShared(node) ? ts.setOriginalNode(ts.setTextRange(this.variable(node.text), node), node) : node;
    if (ts.isShorthandPropertyAssignment(node) && this.isShared(node.name)) return this.longProperty(node);
    if (ts.isCallExpression(node)) return this.call(node);
    if (ts.isTaggedTemplateExpression(node) && ts.isIdentifier(node.tag) && this.isShared(node.tag)) {
      return factory.updateTaggedTemplateExpression(node, this.detached(node.tag), node.typeArguments,
        this.visit(node.template) as ts.TemplateLiteral);
    }
    if (ts.isAwaitExpression(node))
      return ts.setTextRange(this.awaited(this.visit(node.expression) as ts.Expression), node);
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword)
      return factory.createPropertyAccessExpression(factory.createIdentifier(SERVICES), "meta");
    if (ts.isVariableStatement(node) && this.isHoisted(node.declarationList)) return this.variables(node);
    if (ts.isForStatement(node) && node.initializer && this.isHoistedList(node.initializer)) {
      const started = node.initializer.declarations.filter((declaration) => declaration.initializer).map(
        (declaration) => this.initialise(declaration)
      );
      const initializer = started.length > 0
        ? started.reduce((left, right) => factory.createComma(left, right))
        : undefined;
      return factory.updateForStatement(node, initializer, this.optional(node.condition),
        this.optional(node.incrementor), this.statement(node.statement));
    }
    if (ts.isForInStatement(node) && this.isHoistedList(node.initializer)) {
      return factory.updateForInStatement(node, this.target(node.initializer.declarations[0]!.name),
        this.visit(node.expression) as ts.Expression, this.statement(node.statement));
    }
    if (ts.isForOfStatement(node)) {
      const initializer = this.isHoistedList(node.initializer)
        ? this.target(node.initializer.declarations[0]!.name)
        : (this.visit(node.initializer) as ts.ForInitializer);
      const body = this.statement(node.statement);
      // the await of `for await` is not an expression: the question stands at the head of its body
      const asked = node.awaitModifier
        ? factory.createBlock([factory.createExpressionStatement(this.service("resume", [])), body])
        : body;
      return factory.updateForOfStatement(node, node.awaitModifier, initializer,
        this.visit(node.expression) as ts.Expression, asked);
    }
    return ts.visitEachChild(node, this.visit as ts.Visitor, this.context);
  };

  private optional(expression: ts.Expression | undefined): ts.Expression | undefined {
    return expression && (this.visit(expression) as ts.Expression);
  }

  private statement(statement: ts.Statement): ts.Statement {
    const visited = [this.visit(statement)].flat() as ts.Statement[];
    return visited.length === 1 ? visited[0]! : factory.createBlock(visited);
  }

  private longProperty(node: ts.ShorthandPropertyAssignment): ts.PropertyAssignment {
    const value = node.objectAssignmentInitializer
      ? factory.createAssignment(this.variable(node.name.text),
        this.visit(node.objectAssignmentInitializer) as ts.Expression)
      : this.variable(node.name.text);
    return ts.setTextRange(factory.createPropertyAssignment(factory.createIdentifier(node.name.text), value), node);
  }

  /** An await that an interrupt ends, or does not let go on. */
  private awaited(expression: ts.Expression): ts.Expression {
    return this.service("resume", [factory.createAwaitExpression(this.service("wait", [expression]))]);
  }

  private call(node: ts.CallExpression): ts.Node {
    const args = ts.visitNodes(node.arguments, this.visit as ts.Visitor) as ts.NodeArray<ts.Expression>;
    if (node.expression.kind === ts.SyntaxKind.ImportKeyword)
      return ts.setTextRange(this.service("import", args), node);
    const callee = ts.isIdentifier(node.expression) && this.isShared(node.expression)
      ? this.detached(node.expression)
      : (this.visit(node.expression) as ts.Expression);
    return ts.isCallChain(node)
      ? factory.updateCallChain(node, callee, node.questionDotToken, undefined, args)
      : factory.updateCallExpression(node, callee, undefined, args);
  }

  /** `(0, vars.f)`: called without the object of variables as its `this` */
  private detached(name: ts.Identifier): ts.Expression {
    return factory.createParenthesizedExpression(
      factory.createComma(factory.createNumericLiteral(0), ts.setTextRange(this.variable(name.text), name)),
    );
  }

  private variable(name: string): ts.PropertyAccessExpression {
    return factory.createPropertyAccessExpression(factory.createIdentifier(VARIABLES), name);
  }

  private service(name: string, args: readonly ts.Expression[]): ts.CallExpression {
    return factory.createCallExpression(
      factory.createPropertyAccessExpression(factory.createIdentifier(SERVICES), name),
      undefined,
      args,
    );
  }

  private assign(name: string, value: ts.Expression): ts.Statement {
    return factory.createExpressionStatement(factory.createAssignment(this.variable(name), value));
  }

  private publish(name: ts.Identifier): ts.Statement {
    return this.assign(name.text, factory.createIdentifier(name.text));
  }

  private withoutExport<T extends ts.Statement>(statement: T): T {
    const keep = (modifiers: readonly ts.ModifierLike[] | undefined) =>
      modifiers?.filter(({ kind }) => kind !== ts.SyntaxKind.ExportKeyword && kind !== ts.SyntaxKind.DefaultKeyword);
    if (!ts.canHaveModifiers(statement)) return statement;
    if (ts.isFunctionDeclaration(statement)) {
      const { modifiers, asteriskToken, name, typeParameters, parameters, type, body } = statement;
      return factory.updateFunctionDeclaration(statement, keep(modifiers), asteriskToken, name, typeParameters,
        parameters, type, body) as never;
    }
    if (ts.isClassDeclaration(statement)) {
      const { modifiers, name, typeParameters, heritageClauses, members } = statement;
      return factory.updateClassDeclaration(statement, keep(modifiers), name, typeParameters, heritageClauses,
        members) as never;
    }
    if (ts.isEnumDeclaration(statement))
      return factory.updateEnumDeclaration(statement, keep(statement.modifiers) as ts.Modifier[], statement.name,
        statement.members) as never;
    if (ts.isModuleDeclaration(statement))
      return factory.updateModuleDeclaration(statement, keep(statement.modifiers) as ts.Modifier[], statement.name,
        statement.body) as never;
    return statement;
  }

  /** Whether an identifier stands for a top-level name, of this cell or an earlier one. */
  private isShared(name: ts.Identifier): boolean {
    const node = ts.getParseTreeNode(name, ts.isIdentifier);
    if (!node?.parent || !isReference(node)) return false;
    const symbol = ts.isShorthandPropertyAssignment(node.parent)
      ? this.checker.getShorthandAssignmentValueSymbol(node.parent)
      : this.checker.getSymbolAtLocation(node);
    return symbol?.declarations?.some((declaration) => this.isTopLevel(declaration) && !isInside(node, declaration))
      ?? false;
  }

  private isTopLevel(declaration: ts.Node): boolean {
    if (declaration.getSourceFile() !== this.file || this.isAmbient(declaration)) return false;
    if (ts.isImportSpecifier(declaration) || ts.isImportClause(declaration) || ts.isNamespaceImport(declaration))
      return true;
    let node = declaration;
    while (ts.isBindingElement(node) || ts.isObjectBindingPattern(node) || ts.isArrayBindingPattern(node))
      node = node.parent;
    if (ts.isVariableDeclaration(node)) {
      if (!ts.isVariableDeclarationList(node.parent)) return false; // the variable of a catch clause
      return node.parent.parent.parent === this.file && ts.isVariableStatement(node.parent.parent)
        ? true
        : this.isHoisted(node.parent);
    }
    return node.parent === this.file && isNamedDeclaration(node);
  }

  /** `declare` of the cell itself, or (a `var`) of an earlier one: a global of the process is meant. */
  private isAmbient(declaration: ts.Node): boolean {
    const isOwn = declaration.pos < this.codeEnd;
    if (!isOwn) return ts.isVariableDeclaration(declaration) && !(declaration.parent.flags & ts.NodeFlags.BlockScoped);
    return (ts.getCombinedModifierFlags(declaration as ts.Declaration) & ts.ModifierFlags.Ambient) !== 0;
  }

  private isHoistedList(node: ts.ForInitializer): node is ts.VariableDeclarationList {
    return ts.isVariableDeclarationList(node) && this.isHoisted(node);
  }

  /** A `var` anywhere outside functions belongs to the whole cell. */
  private isHoisted(list: ts.VariableDeclarationList): boolean {
    if (list.flags & ts.NodeFlags.BlockScoped) return false;
    for (let node: ts.Node = list; node; node = node.parent) {
      if (isVarScope(node)) return false;
      if (ts.isSourceFile(node)) return true;
    }
    return false;
  }

  /** All `var`s of the cell: they exist, undefined, before their declaration runs. */
  private hoistedVariables(): string[] {
    const names = new Set<string>();
    const bind = (name: ts.BindingName): void => {
      if (ts.isIdentifier(name)) names.add(name.text);
      else for (const element of name.elements) if (ts.isBindingElement(element)) bind(element.name);
    };
    const find = (node: ts.Node) => {
      if (isVarScope(node)) return;
      if (ts.isVariableDeclarationList(node) && this.isHoisted(node))
        node.declarations.forEach((declaration) => bind(declaration.name));
      ts.forEachChild(node, find);
    };
    this.file.statements.forEach(find);
    return [...names];
  }
}

function isUsing({ flags }: ts.VariableDeclarationList): boolean {
  return (flags & ts.NodeFlags.BlockScoped) === ts.NodeFlags.Using
    || (flags & ts.NodeFlags.BlockScoped) === ts.NodeFlags.AwaitUsing;
}

/** A namespace that holds types alone leaves nothing at run time. */
function isInstantiated({ body }: ts.ModuleDeclaration): boolean {
  if (!body) return false;
  if (ts.isModuleDeclaration(body)) return isInstantiated(body);
  return ts.isModuleBlock(body)
    && body.statements.some((statement) =>
      !ts.isInterfaceDeclaration(statement) && !ts.isTypeAliasDeclaration(statement)
      && !(ts.isModuleDeclaration(statement) && !isInstantiated(statement))
    );
}

/** Names of declarations, properties and labels are not references. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  const named = parent as ts.Node & { name?: ts.Node; label?: ts.Node; propertyName?: ts.Node };
  return named.name !== node && named.label !== node && named.propertyName !== node;
}

/**
 * Inside its own declaration, the name of a class, enum or namespace means the local one, which exists before it is
 * published.
 */
function isInside(node: ts.Node, declaration: ts.Node): boolean {
  if (!ts.isClassDeclaration(declaration) && !ts.isEnumDeclaration(declaration) && !ts.isModuleDeclaration(declaration))
    return false;
  return node.pos >= declaration.pos && node.end <= declaration.end;
}
