import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Notebook, sourceOf } from "../../../kernels/headless/notebook.js";
import { setParameters } from "../../../kernels/headless/parameters.js";

const test = suite("parameters");

function notebook(source: string, language = "typescript"): Notebook {
  const cell = { cell_type: "code" as const, id: "p", metadata: { tags: ["parameters"] }, source, outputs: [],
    execution_count: null };
  return { cells: [cell], metadata: { kernelspec: { name: "k", language } }, nbformat: 4, nbformat_minor: 5 };
}

function injected(source: string, given: Record<string, string>, language?: string): string {
  const made = notebook(source, language);
  setParameters(made, given);
  assert.equal(made.cells[1]!.metadata.tags, ["injected-parameters"]);
  return sourceOf(made.cells[1]!).split("\n").slice(1).join("\n");
}

const SOURCE = "const keep = 0.5, name = \"a\"; let big: number = -1;\nlet on = true; const budget: \"quick\" | "
  + "\"full\" = \"quick\"; const ratios = [0.1, 0.2];";

test("values take the type of the annotation or the default", () => {
  assert.is(injected(SOURCE, { keep: "0.25", big: "1e3" }), "let keep: number = 0.25;\nlet big: number = 1000;");
  assert.is(injected(SOURCE, { name: "5", on: "false" }), "let name: string = \"5\";\nlet on: boolean = false;");
  assert.is(injected(SOURCE, { budget: "full", ratios: "[1]" }),
    "let budget: \"quick\" | \"full\" = \"full\";\nlet ratios: any = [1];");
});

for (const [name, value, says] of [["keep", "many", "a number"], ["keep", "", "a number"], ["on", "yes",
  "true or false"], ["budget", "huge", "quick, full"], ["ratios", "[1", "JSON"]] as const) {
  test(`${name}=${value} is refused`, () =>
    assert.throws(() => setParameters(notebook(SOURCE), { [name]: value }), (error: Error) =>
      error.message.includes(says)));
}

test("an unknown name is refused with the nearest one", () => {
  assert.throws(() => setParameters(notebook(SOURCE), { kep: "1" }), /Did you mean "keep"/);
  const none = notebook(SOURCE);
  none.cells[0]!.metadata = {};
  assert.throws(() => setParameters(none, { keep: "1" }), /has no parameters/);
});

test("Python notebooks get Python", () => {
  assert.is(injected("keep = 0.5  # share\non = True\nname = 'x'", { keep: "0.25", on: "false", name: "y" }, "python"),
    "keep = 0.25\non = False\nname = \"y\"");
});

test("a second run replaces the first's cell", () => {
  const made = notebook(SOURCE);
  setParameters(made, { keep: "0.1" });
  setParameters(made, { keep: "0.2" });
  assert.is(made.cells.length, 2);
});

test.run();
