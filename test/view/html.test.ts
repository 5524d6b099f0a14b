import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DISPLAY } from "../../sdk/view/displayable.js";
import { Html, html } from "../../sdk/view/html.js";

test("values are escaped, markup of our own is kept, nothing leaves nothing", () => {
  assert.is(String(html`<b title="${"a\"b"}">${"<i>"}</b>`), "<b title=\"a&quot;b\">&lt;i&gt;</b>");
  assert.is(String(html`<ul>${["<", "&"].map((item) => html`<li>${item}</li>`)}</ul>`),
    "<ul><li>&lt;</li><li>&amp;</li></ul>");
  assert.is(String(html`${null}${undefined}${false}${0}${""}`), "0");
});

test("an object that looks like markup is still data", () => {
  assert.is(String(html`${{ toString: () => "<script>" }}`), "&lt;script&gt;");
  assert.is(String(html`${[["<a>"]]}`), "&lt;a&gt;");
});

test("no text can leave an element or a quoted attribute", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    assert.not.match(String(html`${text}`), /[<>"']/);
  }));
});

test("the text of markup gives the data back", () => {
  assert.equal(html`<b>${"a < b & \"c\""}</b>`[DISPLAY]().data["text/plain"], "a < b & \"c\"");
  assert.instance(html`x`, Html);
});

test.run();
