import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session } from "../session.js";

const test = suite("tsconfig");
const sessions: Session[] = [];
test.after(async () => {
  for (const session of sessions) await session.stop();
});

async function project(compilerOptions: object, files: Record<string, string>) {
  const session = await Session.start({ "tsconfig.json": JSON.stringify({ compilerOptions }) });
  sessions.push(session);
  mkdirSync(join(session.folder, "src"));
  for (const [file, text] of Object.entries(files)) session.write(file, text);
  const value = async (code: string) => {
    const ran = await session.run(code);
    return ran.status === "ok" ? ran.value || ran.stdout : `${ran.content.ename}: ${ran.content.evalue}`;
  };
  return { session, value };
}

const COMPONENT = `const h = (tag: string, props: unknown, ...children: unknown[]) => ({ tag, children });
declare global { namespace JSX { interface IntrinsicElements { div: object } } }
export const el = () => <div>hi</div>;`;

test("paths, decorators and jsx of the project count in cells and in the modules that they import", async () => {
  const { session, value } = await project({ baseUrl: ".", paths: { "@lib/*": ["src/*"] }, experimentalDecorators: true,
    jsx: "react", jsxFactory: "h" }, {
    "src/helper.ts": "import { factor } from \"@lib/factor\"; export const helper = (x: number) => factor * x;",
    "src/factor.ts": "export const factor = 2;",
    "src/data.json": "{ \"rows\": 3 }",
    "comp.tsx": COMPONENT,
    "decorated.ts": "const seen: string[] = []; const mark = (target: object, key: string) => void seen.push(key);\n"
      + "class A { @mark x?: string } export { seen };",
  });
  assert.is(await value("import { helper } from \"@lib/helper\"; helper(2)"), "4");
  assert.is(await value("import { rows } from \"@lib/data.json\"; rows"), "3");
  assert.is(await value("import { factor } from \"src/factor\"; factor"), "2");
  assert.is(await value("(await import(\"@lib/factor\")).factor"), "2");
  assert.match(await value("helper(\"2\")"), /TypeScriptError: 1:8 - .*'string' is not assignable/);
  session.write("src/factor.ts", "export const factor = 10;");
  assert.is(await value("import { helper as fresh } from \"@lib/helper\"; fresh(2)"), "20");
  assert.is(
    await value(
      "function prop(o: object) { return (target: object, key: string) => { console.log(\"decorated\", key) } }\n"
        + "class Vehicle { @prop({}) vid?: string }",
    ),
    "decorated vid\n",
  );
  assert.is(await value("import { seen } from \"./decorated.ts\"; seen"), "[ 'x' ]");
  assert.is(await value("import { el } from \"./comp\"; el()"), "{ tag: 'div', children: [ 'hi' ] }");
  session.write("comp.tsx", COMPONENT.replace("<div>", "<p>").replace("</div>", "</p>"));
  assert.match(await value("import { el as again } from \"./comp\"; again()"),
    /TypeScriptError: comp\.tsx:3:.*'p'|JSX/);
});

test("strictness counts, also from a file that is extended, and what has no effect is told once", async () => {
  const session = await Session.start({
    "tsconfig.json":
      "{ // as tsc reads it\n\"extends\": \"./base.json\", \"compilerOptions\": { \"outDir\": \"dist\", } }",
    "base.json": "{ \"compilerOptions\": { \"strict\": true, \"lib\": [\"dom\"], \"noUnusedLocals\": true } }",
  });
  sessions.push(session);
  assert.match((await session.run("let text: string = null")).content.evalue, /Type 'null' is not assignable/);
  assert.is((await session.run("1 + 1")).stderr, "tsconfig.json: lib, noUnusedLocals have no effect on cells\n");
  assert.is((await session.run("1 + 1")).stderr, "");
});

test("without jsx in a tsconfig.json a .tsx module is refused by the check and by import()", async () => {
  const session = await Session.start({ "comp.tsx": COMPONENT });
  sessions.push(session);
  assert.match((await session.run("import { el } from \"./comp\"; el()")).content.evalue, /'--jsx' is not set/);
  assert.match((await session.run("const name = \"./comp.tsx\"; await import(name)")).content.evalue,
    /holds JSX; accepted is that where a tsconfig\.json beside the notebook sets jsx/);
});

test("a tsconfig.json that cannot be read is told, and cells run", async () => {
  for (const text of ["{ \"compilerOptions\": { \"strict\": ", "{ \"extends\": \"./gone.json\" }", "[]", "5"]) {
    const session = await Session.start({ "tsconfig.json": text });
    sessions.push(session);
    const ran = await session.run("1 + 1");
    assert.is(ran.value, "2");
    assert.match(ran.stderr, text.length > 2 ? /^tsconfig\.json: .+\n$/ : /^(tsconfig\.json: .+\n)?$/, text);
  }
});

test.run();
