import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Notebook, Output } from "../../../kernels/headless/notebook.js";
import { notebookToHtml } from "../../../kernels/headless/page/page.js";

const test = suite("page");

function page(outputs: Output[], markdown = "# A study", source = "1"): string {
  const notebook: Notebook = {
    cells: [{ cell_type: "markdown", metadata: {}, source: markdown }, { cell_type: "code", metadata: {}, source,
      outputs, execution_count: 1 }],
    metadata: {},
    nbformat: 4,
    nbformat_minor: 5,
  };
  return notebookToHtml(notebook, "study.ipynb").replace(/<style>[\s\S]*?<\/style>/, "");
}

const shows = (data: Record<string, unknown>, metadata = {}): Output => ({ output_type: "display_data", data,
  metadata });

test("markdown with tables, code and formulas; title from the heading", () => {
  const html = page([], "# A *study*\n\n$x_1 + x_2$ costs $5 and $6\n\n| a |\n|---|\n| 1 |\n\n```ts\nconst n = 1\n```");
  assert.match(html, /<title>A \*study\*<\/title>/);
  assert.match(html, /<math[\s\S]*<msub>/);
  assert.match(html, /costs \$5 and \$6/);
  assert.match(html, /<td>1<\/td>/);
  assert.match(html, /hljs-keyword/);
});

test("what comes from data cannot run", () => {
  const attack = `<img src=x onerror="alert(1)"><script>alert(2)</script><a href="javascript:alert(3)">x</a><iframe `
    + `src="http://x"></iframe><b style="background:url(http://x)" onclick="alert(4)">bold</b>`;
  for (const html of [page([shows({ "text/html": attack })]), page([shows({ "text/markdown": attack })]),
    page([], attack)]) {
    assert.not.match(html, /alert|iframe|http:\/\/x|onclick|onerror/);
    assert.match(html, /<b[^>]*>bold<\/b>/);
  }
  for (const output of [{ output_type: "stream", name: "stdout", text: [attack] }, { output_type: "error", ename: "E",
    evalue: "", traceback: [attack] }, shows({ "text/plain": attack })] as Output[]) {
    assert.not.match(page([output]), /<script>alert|<img src=x/);
  }
  assert.not.match(page([shows({ "image/svg+xml": "<svg onload='alert(1)'/>" })]), /onload/);
});

test("a chart's spec cannot leave its script", () => {
  const html = page([
    shows({ "application/vnd.vegalite.v5+json": { title: "</script><script>alert(1)</script>" }, "image/png": "AAAA",
      "text/plain": "finding" }),
  ]);
  assert.not.match(html, /<script>alert/);
  assert.match(html, /<img src="data:image\/png;base64,AAAA"/);
  assert.match(html, /<figcaption>finding/);
});

test("pictures carry size and text", () => {
  assert.match(
    page([shows({ "image/png": ["AA\n", "AA"] }, { "image/png": { width: 400, height: 300, alt: "a \"b\"" } })]),
    /<img src="data:image\/png;base64,AAAA" alt="a &#34;b&#34;" width="400" height="300">/,
  );
});

test("nothing is fetched, and only charts bring code", () => {
  const html = page([shows({ "text/plain": "x" })]);
  assert.match(html, /default-src 'none'/);
  assert.not.match(html, /<script|src="http|unsafe-eval/);
});

test("texts on which parsers take quadratic time stay plain", () => {
  const hard = { word: "x".repeat(70_000), blanks: " \n".repeat(40_000), digits: "1".repeat(70_000),
    stars: "**a *".repeat(30_000), brackets: "[a](".repeat(30_000), tags: "<a ".repeat(40_000),
    dollars: "$a".repeat(50_000), environment: "\\begin{a}".repeat(20_000) };
  for (const [name, text] of Object.entries(hard)) {
    const started = performance.now();
    const html = page([shows({ "text/html": text }), shows({ "text/plain": text }), shows({ "text/latex": text }), {
      output_type: "error",
      ename: "E",
      evalue: "",
      traceback: [`\u001b[${text}`],
    }], `\`\`\`bash\n${text}\n\`\`\`\n`, text);
    assert.ok(performance.now() - started < 15_000, `${name}: ${performance.now() - started} ms`);
    assert.ok(html.includes(text.trim().slice(0, 20).replace(/</g, "&#60;")) || name === "blanks", name);
  }
  assert.match(page([], "", "const n = 1"), /hljs-keyword/);
});

test("terminal colours", () => {
  assert.match(page([{ output_type: "error", ename: "E", evalue: "", traceback: ["\u001b[31mE\u001b[39m: <b>"] }]),
    /<span class="ansi-red">E<\/span>: &#60;b&#62;/);
});

test.run();
