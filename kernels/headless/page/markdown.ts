import katex from "katex";
import { Marked, type TokenizerAndRendererExtension } from "marked";
import { escapeHtml } from "./escape.js";
import { highlight } from "./highlight.js";
import { sanitize } from "./sanitize.js";
import { withinTime } from "./within-time.js";

/** Formulas as MathML: browsers draw it without fonts or scripts from elsewhere. */
function formula(tex: string, displayMode: boolean): string {
  return katex.renderToString(tex, { displayMode, output: "mathml", throwOnError: false, trust: false });
}

/** Formulas are taken out before Markdown sees their underscores and asterisks. */
function math(
  name: string,
  level: "block" | "inline",
  start: (text: string) => number,
  pattern: RegExp,
  display: boolean,
): TokenizerAndRendererExtension {
  return {
    name,
    level,
    start: (text) => {
      const at = start(text);
      return at < 0 ? undefined : at;
    },
    tokenizer(text) {
      const found = pattern.exec(text);
      return found ? { type: name, raw: found[0], tex: found[1] ?? found[0] } : undefined;
    },
    renderer: ({ tex }) => formula(String(tex).trim(), display),
  };
}

const marked = new Marked({
  extensions: [
    math("mathBlock", "block", (text) => text.indexOf("$$"), /^\$\$([\s\S]+?)\$\$/, true),
    math("mathEnvironment", "block", (text) => text.indexOf("\\begin{"), /^(\\begin\{(\w+\*?)\}[\s\S]+?\\end\{\2\})/,
      true),
    math("mathDisplay", "inline", (text) => text.indexOf("$$"), /^\$\$([\s\S]+?)\$\$/, true),
    // a dollar before a blank or a digit after the end is money
    math("mathInline", "inline", (text) => text.indexOf("$"), /^\$(?!\s)((?:\\.|[^$\\])+?)(?<!\s)\$(?!\d)/, false),
  ],
  renderer: {
    code: ({ text, lang = "" }) => `<pre><code>${highlight(text, lang)}</code></pre>`,
  },
});

/**
 * A Markdown cell as HTML; what takes too long stays as it is written. Raw HTML in it passes the same allowlist as
 * outputs do.
 */
export function markdownToHtml(text: string): string {
  return withinTime(() => sanitize(marked.parse(text, { async: false })), () => `<pre>${escapeHtml(text)}</pre>`, 2000);
}
