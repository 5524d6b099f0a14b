import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Session } from "../session.js";

const test = suite("assist");
let session: Session;
test.before(async () => {
  session = await Session.start({ "sample-module.ts": "export const sampled = 1;" });
  await session.run(
    "interface Options { /** which method */ method: \"m-smoe\" | \"zipit\"; keep?: number }\n/** Merges "
      + "experts.\n * @param options what to do\n * @example merge({ method: \"zipit\" }) */\nfunction "
      + "merge(options: Options): number { return 1 }\n/** A list of losses. */\nconst losses = [1, 2];",
  );
});
test.after(() => session.stop());

/** Completes at the `|`. */
async function complete(code: string): Promise<Record<string, any>> {
  return session.ask("complete_request", { code: code.replace("|", ""),
    cursor_pos: [...code.slice(0, code.indexOf("|"))].length });
}

async function inspect(code: string, detail_level = 0): Promise<string> {
  const { found, data } = await session.ask("inspect_request", { code: code.replace("|", ""),
    cursor_pos: [...code.slice(0, code.indexOf("|"))].length, detail_level });
  assert.is(Boolean(data["text/markdown"]), found);
  return data["text/plain"] ?? "";
}

test("members, before the cell has run", async () => {
  assert.equal((await complete("const fresh = { alpha: 1, beta: 2 }; fresh.al|")).matches, ["alpha"]);
  assert.ok((await complete("losses.|")).matches.includes("map"));
  const { matches, cursor_start, cursor_end, metadata } = await complete("losses.toFix|ed");
  assert.equal([cursor_start, cursor_end], [7, 14]);
  assert.equal(matches, []);
  assert.ok(metadata._jupyter_types_experimental);
});

test("names of earlier cells come first", async () => {
  assert.is((await complete("los|")).matches[0], "losses");
  assert.not.ok((await complete("|")).matches.some((name: string) => name.startsWith("__cell")));
});

test("string literals that an option takes", async () => {
  assert.equal((await complete("merge({ method: \"|\" })")).matches, ["m-smoe", "zipit"]);
  const typed = await complete("merge({ method: \"m-|\" })");
  assert.equal([typed.matches, typed.cursor_start, typed.cursor_end], [["m-smoe"], 17, 19]);
  assert.equal((await complete("merge({ me| })")).matches, ["method"]);
});

test("modules and files in imports", async () => {
  assert.ok(
    (await complete("import { x } from \"./sam|\"")).matches.some((name: string) => name.startsWith("sample-module")),
  );
  assert.ok((await complete("import { read| } from \"node:fs\"")).matches.includes("readFileSync"));
  assert.ok((await complete("import { sam| } from \"./sample-module\"")).matches.includes("sampled"));
});

test("positions behind characters outside the basic plane", async () => {
  const { matches, cursor_start, cursor_end } = await complete("'😀😀'; loss|");
  assert.equal([matches, cursor_start, cursor_end], [["losses"], 6, 10]);
});

test("type and documentation of a name, of this cell and of earlier ones", async () => {
  assert.match(await inspect("mer|ge"),
    /function merge\(options: Options\): number[\s\S]*Merges experts\.[\s\S]*@example merge/);
  assert.match(await inspect("losses|"), /losses: number\[\][\s\S]*declared in cell \[1\][\s\S]*A list of losses\./);
  assert.match(await inspect("/** Here. */ const here = 1; he|re"), /const here: 1[\s\S]*Here\./);
  assert.match(await inspect("losses.ma|p"), /map<U>/);
});

test("inside a call: its signature and the argument", async () => {
  assert.match(await inspect("merge(|"), /merge\(options: Options\): number[\s\S]*argument 1: options/);
  assert.match(await inspect("function two(a: number, b: string) {}; two(1, |"), /argument 2: b: string/);
});

test("more detail shows the source", async () => {
  assert.match(await inspect("mer|ge", 1), /return 1/);
});

test("nothing is found where nothing is", async () => {
  assert.is(await inspect("  |  "), "");
});

test.run();
