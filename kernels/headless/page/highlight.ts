import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import typescript from "highlight.js/lib/languages/typescript";
import { escapeHtml } from "./escape.js";
import { withinTime } from "./within-time.js";

for (const [name, language] of Object.entries({ bash, json, python, typescript }))
  hljs.registerLanguage(name, language);
hljs.registerAliases(["sh", "console"], { languageName: "bash" });

/** Code as HTML with its words classed; an unknown language, and what takes too long, is left plain. */
export function highlight(code: string, language: string): string {
  const plain = () => escapeHtml(code);
  return hljs.getLanguage(language) ? withinTime(() => hljs.highlight(code, { language }).value, plain) : plain();
}
