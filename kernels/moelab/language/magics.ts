/** What the best known magics of other kernels are here. */
const INSTEAD: Record<string, string> = {
  time: "console.time(\"name\") and console.timeEnd(\"name\")",
  timeit: "performance.now() before and after a loop",
  html: "await display({ _repr_html_: () => \"<b>x</b>\" })",
  markdown: "await display({ _repr_markdown_: () => \"*x*\" })",
  latex: "await display({ _repr_latex_: () => \"$x$\" })",
  svg: "await display({ _repr_svg_: () => \"<svg>…</svg>\" })",
  js: "TypeScript in the cell: it runs in Node, not in the page",
  javascript: "TypeScript in the cell: it runs in Node, not in the page",
  cd: "process.chdir(\"folder\")",
  pwd: "process.cwd()",
  env: "process.env.NAME = \"value\"",
  run: "import \"./file.ts\"",
  load: "import \"./file.ts\"",
  writefile: "writeFileSync of node:fs",
  matplotlib: "nothing: charts are drawn as they are",
  load_ext: "import, for packages of npm",
  reset: "Kernel > Restart",
  who: "completion, which knows the names of all cells",
  whos: "completion, which knows the names of all cells",
  debug: "console.log, or node:inspector",
};
const INSTALL = "npm install in a terminal, in the notebook's folder";
const SHELL = "import { execSync } from \"node:child_process\" and execSync(\"…\", { stdio: \"inherit\" })";

/**
 * What to use in place of a magic, a shell command or a question mark as IPython has them, for a line in which
 * TypeScript has found an error.
 */
export function magicHint(line: string): string | undefined {
  const [, sign = "", name = ""] = /^\s*(?:[\w\s,]+=\s*)?(%%|%|!!|!)\s*([\w.\/~-]+)/.exec(line) ?? [];
  const of = (seen: string, instead: string) =>
    `cell: ${seen} is of IPython; there are no magics here. Use ${instead}.`;
  if (sign && /^(pip3?|conda|mamba|npm|yarn|pnpm)$/.test(name)) return of(sign + name, INSTALL);
  if (sign.startsWith("!") || (sign && /^(bash|sh|script|system|sx|ls|cat|mkdir|rm|cp|mv)$/.test(name)))
    return of(`${sign}${name}`, SHELL);
  if (sign) return of(`${sign}${name}`, Object.hasOwn(INSTEAD, name) ? INSTEAD[name]! : "TypeScript");
  if (/^\s*\?{1,2}\s*[\w$.]+\s*$|^\s*[\w$.]+\s*\?{1,2}\s*$/.test(line))
    return of("? for help", "Shift-Tab behind a name, or Contextual Help");
  return undefined;
}
