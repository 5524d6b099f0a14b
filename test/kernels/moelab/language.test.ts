import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session, sleep } from "../session.js";

const test = suite("language");
let session: Session;
test.before(async () => {
  // a folder with a blank and letters that are not ASCII, as on a real desktop
  session = await Session.start({
    "m.ts": "export interface Pt { x: number }\nexport const twice = (p: Pt) => p.x * 2;\nexport default class "
      + "Foo { v = 1 }",
    "chain.ts": "import { twice } from \"./m\"; export const viaM = twice({ x: 21 });",
    "mod.mts": "export const mm: number = 7;",
    "literal.cjs": "module.exports = { f: () => 1, version: \"1\", list: [1] };",
    "await.mjs": "export const late = await Promise.resolve(5);",
    "data.json": "{\"a\": {\"b\": [1, 2]}}",
    "trace.ts": "interface Gone { a: number }\n\nexport function fails(): never {\n  throw new Error(\"here\");\n}\n",
    "view.tsx": "export const x = 1;",
  }, "moelab öf der ä ");
  const folder = join(session.folder, "node_modules/only-exports");
  mkdirSync(folder, { recursive: true });
  session.write("node_modules/only-exports/package.json",
    "{\"name\":\"only-exports\",\"version\":\"1.0.0\",\"type\":\"module\",\"exports\":{\".\":{\"types\":\"./i.d.ts\",\"default\":\"./i.js\"}}}");
  session.write("node_modules/only-exports/i.js", "export const e = await Promise.resolve(\"exported\");");
  session.write("node_modules/only-exports/i.d.ts", "export const e: string;");
});
test.after(() => session.stop());

/**
 * Runs cells one after the other; all but the last must succeed. @returns the value of the last, or its error as text
 */
async function cells(...codes: string[]): Promise<string> {
  for (const [index, code] of codes.entries()) {
    const ran = await session.run(code);
    if (index === codes.length - 1)
      return ran.status === "ok" ? ran.value.replace(/\s+/g, " ") : `${ran.content.ename}: ${ran.content.evalue}`;
    assert.is(ran.status, "ok", `${code}\n${ran.content.traceback?.join("\n")}`);
  }
  return "";
}

test("a type error runs nothing and shows place, code and fix", async () => {
  const { status, content, stdout } = await session.run(
    "console.log(\"never\");\nconst wrong: number = \"a\";\nconsle.log(1)",
  );
  assert.is(status, "error");
  assert.is(stdout, "");
  assert.is(content.ename, "TypeScriptError");
  const text = content.traceback.join("\n").replace(/\u001b\[\d+m/g, "");
  assert.match(text, /2:7 - error TS2322: Type 'string' is not assignable to type 'number'\./);
  assert.match(text, /const wrong: number = "a";\n +~~~~~\n/);
  assert.match(text, /fix: Change spelling to 'console'/);
});

test("a name of a refused cell does not exist", async () => {
  assert.match(await cells("typeof neverDeclared"), /Cannot find name/);
  assert.is((await session.run("const refused: number = \"x\"")).status, "error");
  assert.match(await cells("refused"), /Cannot find name 'refused'/);
});

test("functions see what later cells assign", async () => {
  assert.is(await cells("let n = 0; function inc() { n++; return n; } const plus = () => ++n;", "n = 100; inc()"),
    "101");
  assert.is(await cells("let n = 50; plus()"), "51");
});

test("assignments to earlier variables are checked", async () => {
  assert.match(await cells("let counted = 1; const fixed = 2;", "counted = \"text\""),
    /Type 'string' is not assignable to type 'number'/);
  assert.match(await cells("fixed = 3"), /Cannot assign to 'fixed' because it is a constant/);
});

test("destructuring assigns to earlier variables", async () => {
  assert.is(
    await cells("let p = 1, q = 2, others: number[] = [];",
      "({ p, q = 9 } = { p: 5 } as { p: number; q?: number }); [p, ...others] = [p, q, 3]; [p, q, others]"),
    "[ 5, 9, [ 9, 3 ] ]",
  );
  assert.is(await cells("for (p of [7, 8]); for ([q] of [[4]]); [p, q]"), "[ 8, 4 ]");
});

test("declarations of every kind", async () => {
  assert.is(
    await cells(
      "const { a: d1, b: [d2 = 5, ...d3] } = { a: 1, b: [undefined as number | undefined, 6, 7] }; [d1, d2, d3]",
    ),
    "[ 1, 5, [ 6, 7 ] ]",
  );
  assert.is(
    await cells(
      "enum Color { Red, Green } const enum Two { A = 4 } namespace Space { export const v = 1; export "
        + "const w = v + Space.v; export interface T { a: number } }",
      "const shaped: Space.T = { a: Two.A }; [Color.Green, Color[0], shaped.a, Space.w]",
    ),
    "[ 1, 'Red', 4, 2 ]",
  );
  assert.is(
    await cells(
      "abstract class Base { constructor(protected z = 3) {} abstract f(): number } class Derived extends "
        + "Base { static first = Derived.name; #own = 1; f() { return this.z + this.#own } }",
      "[new Derived().f(), Derived.first]",
    ),
    "[ 4, 'Derived' ]",
  );
  assert.is(
    await cells("function merged() { return merged.extra } namespace merged { export const extra = 6 }", "merged()"),
    "6",
  );
  assert.is(
    await cells(
      "const arrow = () => 1; const klass = class { static n = 2 }; const wrapped = (() => 3) as () => "
        + "number; [arrow.name, klass.name, wrapped.name]",
    ),
    "[ 'arrow', 'klass', 'wrapped' ]",
  );
});

test("var belongs to the whole cell and to later ones", async () => {
  const declared = "var before = typeof hoisted(); function hoisted() { return '' } for (var i = 0, j = 9; i < 3; i++) "
    + "j--; if (true) { var inner = 3 } for (var k in { z: 1 }); for (var [l] of [[2]]); try { var t = 1 } "
    + "catch { var never = 1 }";
  assert.is(await cells(declared, "[before, i, j, inner, k, l, t, never]"),
    "[ 'string', 3, 6, 3, 'z', 2, 1, undefined ]");
});

test("a class or interface declared again is the new one, old values keep theirs", async () => {
  await cells(
    "class Again { old = 1 } interface Shape { a: number } const first = new Again(); const shape: Shape = { a: 1 };",
    "class Again { fresh = 2 } interface Shape { b: string }",
  );
  assert.is(
    await cells(
      "const second: Again = new Again(); const other: Shape = { b: '' }; [first.old, shape.a, second.fresh]",
    ),
    "[ 1, 1, 2 ]",
  );
  assert.match(await cells("const wrong: Again = first"),
    /missing in type 'Again of cell \[\d+\]' but required in type 'Again of cell \[\d+\]'/);
  const { data } = await session.ask("inspect_request", { code: "first", cursor_pos: 2, detail_level: 0 });
  assert.match(data["text/plain"],
    /its type is the Again of an earlier cell; cell \[\d+\] has declared Again again since/);
});

test("using and await using are disposed when the cell ends", async () => {
  const ran = await session.run(
    "await using slow = { async [Symbol.asyncDispose]() { console.log('slow') } }; using quick = { v: 4, "
      + "[Symbol.dispose]() { console.log('quick') } }; console.log('body'); quick.v",
  );
  assert.is(ran.stdout, "body\nquick\nslow\n");
  assert.is(ran.value, "4");
  assert.is(await cells("[typeof slow, quick.v]"), "[ 'object', 4 ]");
});

test("decorators", async () => {
  const declared = "function louder(value: (this: any, n: number) => number, _: ClassMethodDecoratorContext) { return "
    + "function (this: any, n: number) { return value.call(this, n) * 10 } } class Decorated { @louder "
    + "f(n: number) { return n } static self = Decorated }";
  assert.is(await cells(declared, "[new Decorated().f(4), Decorated.self === Decorated]"), "[ 40, true ]");
});

test("exports are accepted, and export default declares or shows", async () => {
  assert.is(
    await cells(
      "export default class Main { q = 1 } export const e1 = 1; export { e1 as e2 }; export type T1 = string;",
      "const typed: T1 = 'x'; [new Main().q, e1, typed]",
    ),
    "[ 1, 1, 'x' ]",
  );
  assert.is(await cells("export default 5"), "5");
});

test("local modules, JSON and CommonJS", async () => {
  assert.is(
    await cells(
      "import Foo, { twice, type Pt } from \"./m\"; import { viaM } from \"./chain.ts\"; import { mm } "
        + "from \"./mod.mts\"; import * as literal from \"./literal.cjs\"; import data from \"./data.json\"; "
        + "import { late } from \"./await.mjs\"; import { e } from \"only-exports\";",
      "[new Foo().v, twice({ x: 2 }), viaM, mm, literal.f(), literal.version, data.a.b, late, e]",
    ),
    "[ 1, 4, 42, 7, 1, '1', [ 1, 2 ], 5, 'exported' ]",
  );
  assert.is(
    await cells(
      "import type { PathLike } from \"node:fs\"; import path = require(\"node:path\"); const file: "
        + "PathLike = path.basename(\"x/y\"); file",
    ),
    "'y'",
  );
  assert.is(
    await cells(
      "const lazy = await import(\"./m\"); const json = await import(\"./data.json\"); [Object.keys(lazy), "
        + "json.default.a]",
    ),
    "[ [ 'default', 'twice' ], { b: [ 1, 2 ] } ]",
  );
  assert.match(await cells("import { nothing } from \"./m\""), /has no exported member 'nothing'/);
  assert.match(await cells("import { x } from \"./view.tsx\""), /JSX|tsx/);
});

test("edited modules are loaded afresh, also behind others", async () => {
  session.write("edited.ts", "export const v = 1;");
  session.write("uses.ts", "export { v } from \"./edited\";");
  session.write("edited.cjs", "exports.w = 1;");
  assert.is(await cells("import { v } from \"./uses\"; import { w } from \"./edited.cjs\"; [v, w]"), "[ 1, 1 ]");
  await sleep(20); // another time of modification
  session.write("edited.ts", "export const v = \"two\";");
  session.write("edited.cjs", "exports.w = 2;");
  assert.is(await cells("import { v } from \"./uses\"; import { w } from \"./edited.cjs\"; [v.toUpperCase(), w]"),
    "[ 'TWO', 2 ]");
});

test("an error in a local module stops the cell and names the file", async () => {
  session.write("broken.ts", "export const n: number = \"x\";");
  assert.match(await cells("import { n } from \"./broken\"; n"), /broken\.ts:1:14 - Type 'string'/);
});

test("JSX is refused by name", async () => {
  assert.match(await cells("const el = <div>hello</div>;"), /SyntaxError: cell: JSX was seen at 1:12/);
});

test("top-level await, for await and generators", async () => {
  assert.is(
    await cells(
      "async function* two() { yield 1; yield 2 } const got: number[] = []; for await (const x of two()) "
        + "got.push(x); got.push(await (async () => 5)()); got",
    ),
    "[ 1, 2, 5 ]",
  );
});

test("names that the compiler uses itself are free", async () => {
  assert.is(
    await cells("const $ = 1; function shadow($: number, got: string) { return { $, got } }", "[shadow(2, 'g'), $]"),
    "[ { '$': 2, got: 'g' }, 1 ]",
  );
  assert.is(await cells("function self(this: unknown) { return this } [self() === undefined, self?.() === undefined]"),
    "[ true, true ]");
});

test("declarations for everybody outlive their cell", async () => {
  assert.is(
    await cells(
      "declare global { interface Array<T> { second(): T } } Array.prototype.second = function () { return this[1] };",
      "[3, 4].second()",
    ),
    "4",
  );
});

test("stack traces name cell and line, across cells, awaits and modules", async () => {
  await session.run(
    "import { fails } from \"./trace\";\nfunction outer(): never {\n  throw new RangeError(\"deep\");\n}",
  );
  const { content } = await session.run("await Promise.resolve();\n\nouter()");
  const text = content.traceback.join("\n").replace(/\u001b\[\d+m/g, "");
  assert.match(text, /^RangeError: deep\n    at outer \(Cell \[\d+\]:3:9\)\n    at Cell \[\d+\]:3:\d/);
  assert.match(text, />\s*3 \| {3}throw new RangeError/);
  assert.not.match(text, /node:|dist\/kernel/);
  const inModule = (await session.run("fails()")).content.traceback.join("\n");
  assert.match(inModule, /trace\.ts:4:9/);
});

test("import of what is not there says so at the cell", async () => {
  const { content } = await session.run("import \"./nonexistent\"");
  assert.match(content.evalue, /Cannot find module/);
  assert.match(content.traceback.join("\n"), /Cell \[\d+\]:1:1/);
});

test("moelab resolves from any folder", async () => {
  assert.is(await cells("const found = import.meta.resolve ? typeof (await import(\"moelab\")) : \"\"; found"),
    "'object'");
});

const INSTEAD: Record<string, RegExp> = {
  "%time 1": /%time is of IPython; there are no magics here\. Use console\.time/,
  "%%html\n<b>x</b>": /%%html is of IPython; .* Use await display\(\{ _repr_html_/,
  "%%bash\nls": /%%bash is of IPython; .* execSync/,
  "%matplotlib inline\nconst x = 1": /%matplotlib is of IPython; .* drawn as they are/,
  "const x = 1\n%unheard of": /%unheard is of IPython; .* Use TypeScript\./,
  "t = %timeit 1": /%timeit is of IPython/,
  "!ls": /!ls is of IPython; .* execSync/,
  "!ls -la ./x": /!ls is of IPython; .* execSync/,
  "!pip install moelab": /!pip is of IPython; .* Use npm install in a terminal/,
  "%pip install x": /%pip is of IPython; .* npm install/,
  "?moe": /\? for help is of IPython; .* Shift-Tab/,
  "Math.max??": /\? for help is of IPython; .* Shift-Tab/,
  "const y = !notThere": /Cannot find name 'notThere'/,
  "const z = 5\n% notThere": /Cannot find name 'notThere'/,
};
for (const [code, expected] of Object.entries(INSTEAD)) {
  test(`is told what to use: ${code.split("\n")[0]}`, async () => {
    const { content } = await session.run(code);
    assert.is(content.status, "error");
    assert.match(content.evalue, expected);
  });
}

test("await followed by nothing is not finished", async () => {
  for (const code of ["await", "const zz = await", "const n: number = await", "[1, await]", "f(await)",
    "{ a: await }"]) {
    const { content } = await session.run(code);
    assert.equal([content.ename, /^\d+:\d+ - Expression expected\.$/.test(content.evalue)], ["SyntaxError", true],
      code);
  }
  const asked = async (code: string) => (await session.ask("is_complete_request", { code })).status;
  assert.equal([await asked("await"), await asked("const z = await"), await asked("[1, await]"),
    await asked("await 1")], ["incomplete", "incomplete", "invalid", "complete"]);
});

test("module, exports and require are at run time what their types say", async () => {
  assert.is((await session.run("if (require.main === module) console.log('main')")).stdout, "main\n");
  assert.is((await session.run("module.exports = { a: 1 }; (exports as any).b = 2; [module.exports, exports]")).status,
    "ok");
  assert.is(
    (await session.run("[module.id, module.filename === __filename, module.require('path') === require('path')]"))
      .value,
    "[ '.', true, true ]",
  );
  assert.is((await session.run("const module = 7; module")).value, "7");
  const { matches } = await session.ask("complete_request", { code: "modul", cursor_pos: 5 });
  assert.equal(matches, ["module"]);
});

test.run();
