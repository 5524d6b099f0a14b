import ts from "typescript";

const { TypeFlags } = ts;
const PRIMITIVE = TypeFlags.Any | TypeFlags.Unknown | TypeFlags.Never | TypeFlags.Void | TypeFlags.Undefined
  | TypeFlags.Null | TypeFlags.String | TypeFlags.Number
  | TypeFlags.BigInt | TypeFlags.Boolean | TypeFlags.ESSymbol | TypeFlags.StringLiteral | TypeFlags.NumberLiteral
  | TypeFlags.BigIntLiteral | TypeFlags.BooleanLiteral;
const MAX_CHARS = 300;
const MAX_DEPTH = 4;

/**
 * A type as text, if the text means the same in any module: primitives, and arrays, tuples, unions and object literals
 * of them.
 * A name would not do: it may mean something else in a later cell.
 */
export function plainType(checker: ts.TypeChecker, type: ts.Type): string | undefined {
  if (!isPlain(checker, type, 0)) return undefined;
  const text = checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation);
  return text.length <= MAX_CHARS ? text : undefined;
}

function isPlain(checker: ts.TypeChecker, type: ts.Type, depth: number): boolean {
  if (type.aliasSymbol || type.flags & TypeFlags.EnumLike || depth > MAX_DEPTH) return false;
  if (type.flags & PRIMITIVE) return true;
  const all = (types: readonly ts.Type[]) => types.every((each) => isPlain(checker, each, depth + 1));
  if (type.isUnion()) return all(type.types);
  if (checker.isArrayType(type) || checker.isTupleType(type))
    return all(checker.getTypeArguments(type as ts.TypeReference));
  return isObjectLiteral(type) && checker.getIndexInfosOfType(type).length === 0
    && all(type.getProperties().map((property) => checker.getTypeOfSymbol(property)));
}

/** What `{ a: 1 }` has as type: values by name, neither methods nor accessors. */
function isObjectLiteral(type: ts.Type): boolean {
  const isLiteral = type.symbol && (type.symbol.flags & ts.SymbolFlags.ObjectLiteral) !== 0;
  return isLiteral && type.getCallSignatures().length === 0
    && type.getProperties().every(({ flags, name }) =>
      flags & ts.SymbolFlags.Property && !(flags & ts.SymbolFlags.Accessor) && !name.startsWith("__")
    );
}
