import ts from "typescript";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { plainType } from "../../../../kernels/moelab/language/plain-type.js";

const test = suite("plain-type");

/** The plain types of the constants of a text; `declare` behind a name of the result must mean the same. */
function plainTypes(text: string): Record<string, string | undefined> {
  const options: ts.CompilerOptions = { lib: ["lib.es2022.d.ts"], target: ts.ScriptTarget.ES2022, strict: true,
    types: [] };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  host.getSourceFile = (
    name,
    ...rest
  ) => (name === "cell.ts" ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true) : read(name, ...rest));
  const program = ts.createProgram(["cell.ts"], options, host);
  const checker = program.getTypeChecker();
  const names = program.getSourceFile("cell.ts")!.statements.filter(ts.isVariableStatement).map(({ declarationList }) =>
    declarationList.declarations[0]!.name
  );
  return Object.fromEntries(names.map((name) => [name.getText(), plainType(checker, checker.getTypeAtLocation(name))]));
}

test("types that mean the same anywhere are written down", () => {
  const found = plainTypes(
    "let n = 1; let l = [1, 2]; let o = { a: 1, deep: { b: [\"x\"] } }; let u: string | undefined; let "
      + "t: [number, boolean?] = [1]; const s = \"it's\";\nlet r: readonly number[] = [];",
  );
  assert.equal(found, { n: "number", l: "number[]", o: "{ a: number; deep: { b: string[]; }; }",
    u: "string | undefined", t: "[number, (boolean | undefined)?]", s: "\"it's\"", r: "readonly number[]" });
});

test("types with names, and what cannot be written, are not", () => {
  const found = plainTypes(
    "type Alias = { a: 1 }; interface Named { a: 1 } enum Colour { Red } class C {}\nlet a: Alias; let "
      + "b: Named; let c = Colour.Red; let d = new C(); let e = () => 1; let f = { m() {} }; let g = new "
      + "Map(); const h: unique symbol = Symbol(); let i = { get x() { return 1 } }; let j: Named[]; let k = "
      + "{ [Symbol.iterator]: 1 }; let l: Record<string, number>;",
  );
  for (const [name, type] of Object.entries(found)) assert.is(type, undefined, name);
});

test("a long type is not", () => {
  assert.is(plainTypes(`const s = "${"x".repeat(400)}";`).s, undefined);
});

test.run();
