import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as all from "../cases.js";
import { Session, sleep } from "../session.js";

// What one kernel answers to unusual cells of every kind.

const test = suite("language cases");
let session: Session;
test.before(async () => {
  session = await Session.start({}, "moelab fälle ");
});
test.after(() => session.stop());

const given = (code: string) => all.given(session, code);
const cases = (about: string, each: all.Case[]) => all.cases(test, () => session, about, each);

const LOUD = (name: string) => `{ [Symbol.dispose]() { console.log("${name}") } }`;

cases("using: order, loops, functions beside it, errors", [[
  `using a = ${LOUD("a")}, b = ${LOUD("b")}; using c = ${LOUD("c")}; console.log("body")`,
  "~body c b a",
], [`{ using a = ${LOUD("in")} } console.log("out")`, "~in out"], [
  `for (using each of [${LOUD("one")}, ${LOUD("two")}]) console.log("loop")`,
  "~loop one loop two",
], [`for await (using each of [${LOUD("one")}]) console.log("loop")`, "~loop one"], [
  `for (await using each of [{ async [Symbol.asyncDispose]() { console.log("late") } }]) console.log("loop")`,
  "~loop late",
], ["using held = { v: 1, [Symbol.dispose]() { this.v = 0 } }; function read() { return held.v } read()", "1"], [
  "read()",
  "0",
], ["using nothing = null; 5", "5"], [`await using sync = ${LOUD("sync")}; 5`, "5"], ["using wrong = {} as any;",
  "!Object not disposable"], [`using t = ${LOUD("closed")}; throw new Error("body")`, "!Error: body"], [
  "using twice = { [Symbol.dispose]() { throw new Error('second') } }; throw new Error('first')",
  "!suppressed",
]]);

cases("var outside functions belongs to the notebook", [[
  "for (var i1 = 0, f1: (() => number)[] = []; i1 < 3; i1++) f1.push(() => i1);",
  "[i1, f1.map((f) => f())]",
  "[ 3, [ 3, 3, 3 ] ]",
], ["for (var { a: va, ...vr } of [{ a: 1, b: 2 }]); [va, vr]", "[ 1, { b: 2 } ]"], [
  "async function* pairs() { yield [1, 2]; yield [3, 4] } for await (var [g1, g2] of pairs()); [g1, g2]",
  "[ 3, 4 ]",
], [
  "outer: for (var oi = 0; oi < 3; oi++) { for (var oj = 0; oj < 3; oj++) { if (oj === 1) continue "
  + "outer; if (oi === 2) break outer } } [oi, oj]",
  "[ 2, 0 ]",
], ["switch (1 as number) { case 1: var inSwitch = 's'; break; default: var notSwitch = 'n' } [inSwitch, notSwitch]",
  "[ 's', undefined ]"], ["named: { var inLabel = 1; break named } do { var inDo = 8 } while (false); [inLabel, inDo]",
  "[ 1, 8 ]"], ["for (var none; ;) { none = 4; break } none", "4"], ["var twice2 = 1; var twice2 = 2; twice2", "2"], [
  "const closures: (() => number)[] = []; for (let l = 0; l < 3; l++) closures.push(() => l); closures.map((f) => f())",
  "[ 0, 1, 2 ]",
]]);

cases("destructuring into earlier variables", [["let da = 1, db = 2, dc = 3, dd: any = {}; const list = [10, 20];",
  "[da, db] = [db, da]; [da, db]", "[ 2, 1 ]"], [
  "({ x: da, ['y' + '']: db = 5, ...dd } = { x: 7, z: 1 } as any); [da, db, dd]",
  "[ 7, 5, { z: 1 } ]",
], ["[list[0], list[1]] = [list[1], list[0]]; list", "[ 20, 10 ]"], [
  "[da = 9, [db] = [8]] = [undefined, undefined] as any; [da, db]",
  "[ 9, 8 ]",
], ["for ([da, db] of [[1, 2], [3, 4]]); for ({ x: dc } of [{ x: 9 }]); [da, db, dc]", "[ 3, 4, 9 ]"], [
  "async function inside() { ({ da } = { da: 77 }); [db] = [88]; for (dc of [99]); } await inside(); [da, db, dc]",
  "[ 77, 88, 99 ]",
], ["da++; db += 2; dc **= 2; (da) = da; [da, db, dc]", "[ 78, 90, 9801 ]"], [
  "const { default: d1, class: c1 } = { default: 1, class: 2 }; const { ...copy } = { a: 1 }; const "
  + "[...letters] = 'ab'; [d1, c1, copy, letters]",
  "[ 1, 2, { a: 1 }, [ 'a', 'b' ] ]",
], ["const withDefaults = ({ da: inner = da, ...r }: any = {}, [z] = [da]) => [inner, r, z]; withDefaults()",
  "[ 78, {}, 78 ]"]]);

cases("a name declared again is the new one, whatever it was", [["let many = 1;",
  "const many = 'str'; many.toUpperCase()", "'STR'"], ["function many() { return 'fn' } many()", "'fn'"], [
  "class many {} typeof many",
  "'function'",
], ["import { join as many } from 'node:path'; many('a', 'b')", "'a/b'"], [
  "function over(a: string): string; function over(a: number): number; function over(a: any) { return a }",
  "over(1) + over('x')",
  "'1x'",
], ["function over(a: boolean): boolean { return !a } over(true)", "false"], ["namespace Space1 { export const v = 1 }",
  "namespace Space1 { export const w = 2 } Object.keys(Space1)", "[ 'w' ]"], [
  "enum En { A = 1 } function takes(e: En) { return e }",
  "enum En { B = 5 } takes(En.B)",
  "!'En' is not assignable to parameter of type 'En of cell",
], ["type Alias = string; let a1: Alias = 'x';", "type Alias = number; let a2: Alias = 4; [a1, a2]", "[ 'x', 4 ]"], [
  "let same = 1; let same = 2;",
  "!Cannot redeclare",
]]);

cases("export default in all its forms", [["export default function () { return 1 }", "~"], [
  "export default function dn() { return 2 }",
  "dn()",
  "2",
], ["export default class Dk { x = 1 }", "new Dk().x", "1"], ["export default interface Di { a: number }",
  "const di: Di = { a: 1 }; di", "{ a: 1 }"], ["export default abstract class Da { abstract q(): void }", "typeof Da",
  "'function'"], ["const before = 1; export default before", "1"], ["export default { a: 1, b: [2] }",
  "{ a: 1, b: [ 2 ] }"], [
  "export enum Xe { A } export namespace Xn { export const z = 1 } export const [x1, { x2 }] = [1, { "
  + "x2: 2 }]; export async function* xg() { yield 1 }",
  "[Xe.A, Xn.z, x1, x2, (await xg().next()).value]",
  "[ 0, 1, 1, 2, 1 ]",
]]);

cases("decorators on everything", [[
  "function tell(value: any, context: any): any { console.log(context.kind + ':' + "
  + "String(context.name)) } @tell class Told { @tell m() {} @tell f = 1; @tell static s = 2; @tell get "
  + "g() { return 1 } @tell accessor ac = 1; @tell #own() {} }",
  "~method:m getter:g accessor:ac method:#own field:s field:f class:Told",
], [
  "function extended<T extends new (...a: any[]) => {}>(C: T, _: ClassDecoratorContext) { return class "
  + "extends C { extra = 9 } } @extended export class Ex { v = 1 }",
  "[new Ex().v, (new Ex() as any).extra]",
  "[ 1, 9 ]",
], [
  "const times = (n: number) => (_: any, c: ClassFieldDecoratorContext) => (start: number) => start * "
  + "n; class Timed { @times(10) q = 4 } new Timed().q",
  "40",
]]);

cases("names that mean something elsewhere", [[
  "const exports = { a: 1 }; let module = 'm'; const __dirname = 'dn'; [exports.a, module, __dirname]",
  "[ 1, 'm', 'dn' ]",
], ["[exports, module, __dirname]", "[ { a: 1 }, 'm', 'dn' ]"], [
  "let name = 'n', length = 1, self = 2, window = 3, top = 4, status = 5; [name, length, self, window, top, status]",
  "[ 'n', 1, 2, 3, 4, 5 ]",
], [
  "let async = 1, of = 2, get = 3, from = 4, as = 5, type = 6, using = 7, accessor = 8, satisfies = 9; "
  + "async + of + get + from + as + type + using + accessor + satisfies",
  "45",
], ["let __vars = 3, __cell = 4, module_1 = 5, $ = 6; [__vars, __cell, module_1, $]", "[ 3, 4, 5, 6 ]"], [
  "const __proto__ = 5, constructor = 6, toString = 7, hasOwnProperty = 8; [__proto__, constructor, "
  + "toString, hasOwnProperty]",
  "[ 5, 6, 7, 8 ]",
], ["let ünïcode = 1, 変数 = 2, 𝒳 = 3;", "[ünïcode, 変数, 𝒳]", "[ 1, 2, 3 ]"], ["class Map { mine = true }",
  "new Map().mine", "true"], ["(globalThis as any).outside = 6; declare var outside: number; outside", "6"], [
  "outside + 1",
  "7",
], ["(globalThis as any).called = parseInt; declare function called(text: string): number;", "called('12')", "12"]]);

cases("the shape of a cell", [["1 + 1 // comment", "2"], ["5;\n// end", "5"], ["// only a comment", "~"], [
  "'use strict'; 5",
  "5",
], ["`template ${1 + 1}`", "'template 2'"], ["const noSemicolon = [1, 2]\n;[3].concat(noSemicolon)", "[ 3, 1, 2 ]"], [
  "({ a: 1 })",
  "{ a: 1 }",
], ["{ a: 1, b: [2] }", "{ a: 1, b: [ 2 ] }"], ["{}", "{}"], ["{ const inner = 5; console.log(inner) }", "~5"], [
  "<number>5",
  "5",
], ["1 /2/ 1", "0.5"], ["/re+/g", "/re+/g"], ["#!/usr/bin/env node\n5", "5"], ["\ufeffconst marked = 1;\r\nmarked\r\n",
  "1"], ["// @ts-ignore\nconst ignored: number = 'x'; ignored", "'x'"], ["// @ts-expect-error\nconst fine: number = 5;",
  "!Unused '@ts-expect-error'"], ["const late = 3\nlate", "3"], [
  `${"const filler = [1, 2, 3];\n".replace("filler", "f0")}${
    Array.from({ length: 1500 }, (_, i) => `const f${i + 1} = f${i};`).join("\n")
  }\nf1500`,
  "[ 1, 2, 3 ]",
]]);

cases("what is not TypeScript is refused where it is wrong", [["await 5 +",
  "!SyntaxError: 1:10 - Expression expected."], ["/* open", "!'*/' expected"], ["`open ${1", "!'}' expected"], [
  "if (true) {",
  "!'}' expected",
], ["const u = \"open", "!Unterminated string literal"], ["%%html\n<b>x</b>",
  "!SyntaxError: cell: %%html is of IPython"], ["<!-- html comment\n5", "!SyntaxError"], ["return 5",
  "!'return' statement can only be used within a function"], ["with ({ a: 1 }) { a }",
  "!'with' statements are not allowed"], ["if (true) function declared() {}",
  "!In strict mode code, functions can only be declared"], ["const wide = '😀😀'; const bad: number = wide",
  "!1:28 - Type 'string'"], ["new DisposableStack2()", "!Cannot find name"], [
  "(async () => { await null; const late: number = 'x' })()",
  "!1:34 - Type 'string'",
]]);

cases("messages speak of the cell, not of what it is compiled to", [["let notFunction: any = 5; notFunction()",
  "!TypeError: notFunction is not a function"], ["const object: any = { a: {} }; object.a.b()",
  "!TypeError: object.a.b is not a function"], ["object.a.b.c", "!Cannot read properties of undefined (reading 'c')"]]);

cases("anything can be thrown", [["throw null", "!null: null"], ["throw undefined", "!undefined: undefined"], [
  "throw 42",
  "!number: 42",
], ["throw Object.create(null)", "!null prototype"], ["throw new Proxy({}, { get() { throw new Error('trap') } })",
  "!object: "], [
  "const e1: any = new Error('x'); Object.defineProperty(e1, 'stack', { get() { throw new Error('trap') } }); throw e1",
  "!Error: x",
], [
  "const e2: any = new Error('x'); Object.defineProperty(e2, 'message', { get() { throw new "
  + "Error('trap') } }); throw e2",
  "!Error: ",
], ["class Mine extends Error { override name = 'Mine' } throw new Mine('custom')", "!Mine: custom"], [
  "throw new AggregateError([new Error('one')], 'many')",
  "!AggregateError: many",
], ["function deep(n: number): number { return deep(n + 1) + 1 } deep(0)", "!Maximum call stack"], [
  "Error.prepareStackTrace = undefined; throw new Error('after')",
  "!Error: after",
]]);

test("an error of Node's own is placed at the await", async () => {
  const { content } = await session.run(
    "import { readFile } from \"node:fs/promises\";\nawait readFile(\"/not/there\")",
  );
  assert.match(content.traceback.join("\n"), /ENOENT[\s\S]*Cell \[\d+\]:2:\d/);
});

test("modules: cycles, changes far below, every kind of file", async () => {
  const write = async (file: string, text: string) => {
    session.write(file, text);
    await sleep(20);
  };
  await write("one.ts", "import { Two } from \"./two\"; export class One { two() { return new Two() } }");
  await write("two.ts", "import { One } from \"./one\"; export class Two { one() { return new One() } v = 1 }");
  assert.is(await given("import { One } from \"./one\"; [new One().two().one() instanceof One, new One().two().v]"),
    "[ true, 1 ]");
  await write("two.ts", "import { One } from \"./one\"; export class Two { one() { return new One() } v = 2 }");
  assert.is(await given("import { One } from \"./one\"; [new One().two().one() instanceof One, new One().two().v]"),
    "[ true, 2 ]");
  await write("old.cts", "import path = require(\"node:path\"); export const old = path.sep;");
  await write("list.json", "[1, 2]");
  await write("plain.js", "export const plain = /** @type {number} */ (3);");
  await write("said.js", "export const said = 44;");
  await write("said.d.ts", "export declare const said: number;");
  await write("legacy.js", "exports.hello = () => \"legacy\"; exports.__esModule = true; exports.default = \"own\";");
  assert.is(
    await given(
      "import { old } from \"./old.cjs\"; import list from \"./list.json\" with { type: \"json\" }; import "
        + "{ plain } from \"./plain\"; import { said } from \"./said\"; import legacy, { hello } from "
        + "\"./legacy.js\"; [old, list.length, plain.toFixed(1), said, legacy, hello()]",
    ),
    "[ '/', 2, '3.0', 44, 'own', 'legacy' ]",
  );
  assert.is(
    await given(
      "const names = [\"one\", \"two\"]; (await Promise.all(names.map((n) => "
        + "import(`./${n}.ts`)))).map((m) => Object.keys(m)[0])",
    ),
    "[ 'One', 'Two' ]",
  );
  assert.is(await given("const { moe } = require(\"moelab\"); import same = require(\"moelab\"); moe === same.moe"),
    "true");
  await write("broken.mjs", "export const a = 1;\nexport const b = ;");
  assert.match(await given("import { a } from \"./broken.mjs\""),
    /^!SyntaxError: broken\.mjs:2:18|^!TypeScriptError: broken\.mjs:2:18/);
  assert.match(await given("import nothing from \"./one\""), /Module '"\.\/one"' has no default export/);
});

test("a cell that is interrupted before it starts declares nothing", async () => {
  const waiting = session.send("const neverRun = 1;");
  await session.kernel.interrupt();
  await waiting.done;
  if (waiting.status === "error") assert.match(await given("neverRun"), /Cannot find name 'neverRun'/);
});

test.run();
