import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TemplateError } from "../../../sdk/text/jinja/budget.js";
import { render } from "../../../sdk/text/jinja/render.js";
import { pythonWith, scripted } from "../../support/python.js";
import { fixture, shared } from "../../support/shared.js";

const test = suite("jinja");
interface Cases {
  context: Record<string, unknown>;
  cases: { template: string; expected?: string; error?: true }[];
}

function differences({ context, cases }: Cases): string[] {
  return cases.flatMap(({ template, expected }) => {
    let got: string | undefined;
    try {
      got = render(template, context);
    } catch (error) {
      if (!(error instanceof TemplateError)) return [`${template} throws ${String(error)}`];
      if (expected !== undefined) return [`${template} is refused: ${error.message}`];
    }
    return got === expected ? [] : [`${template} gives ${JSON.stringify(got)}, jinja2 ${JSON.stringify(expected)}`];
  });
}

test("constructs and random templates give what jinja2 gives as transformers sets it up", () => {
  const cases: Cases = JSON.parse(readFileSync(fixture("text/templates.json"), "utf8"));
  assert.ok(cases.cases.length > 500);
  assert.equal(differences(cases), []);
});

test("constructs of published templates", () => {
  const path = shared("reports/chat-jinja/cases.json");
  if (!path) return;
  const { messages, tools, cases } = JSON.parse(readFileSync(path, "utf8"));
  assert.equal(differences({ context: { messages, tools, add_generation_prompt: true }, cases }), []);
});

test("templates of a new seed give what jinja2 gives", () => {
  const python = pythonWith("jinja2, transformers");
  if (!python) return;
  const seed = String(Math.floor(Date.now() / 1000) % 100_000);
  const cases: Cases = scripted(python, fixture("text/make_templates.py"), "--fuzz", seed, "400");
  assert.equal(differences(cases).map((each) => `seed ${seed}: ${each}`), []);
});

const nested = (open: string, close: string, count: number) => open.repeat(count) + "1" + close.repeat(count);
const DOUBLED =
  "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}";
for (const [name, template] of Object.entries({
  "a loop of a trillion": "{% for i in range(1000000000000) %}x{% endfor %}",
  "loops in loops":
    "{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
  "a text that doubles": DOUBLED,
  "a text that is repeated": "{{ 'x' * 1000000000000 }}",
  "a list that is repeated": "{{ [1] * 1000000000000 }}",
  "a wide field": "{{ '%1000000000000d' % 1 }}{{ '{:1000000000000}'.format(1) }}",
  "a wide centre": "{{ 'x'.center(1000000000000) }}",
  "a list of long texts":
    "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = ns.l + ['x' * 9999999] %}{% endfor %}",
  "a macro that calls itself": "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
  "a loop that calls itself": "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
  "brackets within each other": `{{ ${nested("[", "]", 20_000)} }}`,
  "conditions within each other": `{{ ${"1 if t else ".repeat(20_000)}1 }}`,
  "tags within each other": `${"{% if t %}".repeat(20_000)}${"{% endif %}".repeat(20_000)}`,
  "a value within itself": "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
  "a list within lists":
    "{% set ns = namespace(a=[]) %}{% for i in range(99999) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}",
  "slices without end": "{{ [1] | slice(1000000000000) | list }}",
  "a deep indent": "{{ [[1]] | tojson(indent=1000000000000) | length }}",
  "a text of white space": `{{ '${" ".repeat(200_000)}x'.rstrip() * 999999 }}`,
})) {
  test(`${name} ends with an error in time`, () => {
    const started = performance.now();
    let error: unknown;
    try {
      render(template, { t: true });
    } catch (caught) {
      error = caught;
    }
    assert.instance(error, TemplateError);

    assert.ok(performance.now() - started < 5000, `took ${performance.now() - started} ms`);
  });
}

test("a value from JavaScript that is too deep or none is refused", () => {
  assert.throws(() => render("x", { a: JSON.parse("[".repeat(5000) + "]".repeat(5000)) }), /levels/);
  assert.throws(() => render("x", { a: () => 1 }), /function is given/);
  assert.is(render("{{ a }}{{ b }}", { a: { x: undefined, y: 1 }, b: 10n }), "{'y': 1}10");
});

test("white space before a tag takes linear time", () => {
  const started = performance.now();
  assert.is(render(`${" ".repeat(300_000)}x{%- if true %}y{% endif %}`, {}).trim(), "xy");
  assert.is(render(`x${" ".repeat(300_000)}{%- if true %}y{% endif %}`, {}), "xy");
  assert.ok(performance.now() - started < 3000);
});

test("a long conversation stays within the budget", () => {
  const messages = Array.from({ length: 2000 },
    (_, i) => ({ role: i % 2 ? "assistant" : "user", content: "word ".repeat(200) }));
  const template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1].strip() }}\n{% endfor %}";
  assert.is(render(template, { messages }).length, 2000 * 1000 + 1000 * ("<|user|>".length + "<|assistant|>".length));
});

test.run();
