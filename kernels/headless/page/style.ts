/** The look of a notebook's page: the reader's own light or dark scheme, a text column, wide tables that scroll. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5b6472; --paper: #ffffff; --box: #f5f6f8; --line: #dfe3e8; --red: #b3261e; --blue: #1857b8; --green: #1a7f37; --violet: #7a3ea1; --brown: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e6ea; --soft: #9aa4b2; --paper: #15181c; --box: #1e2227; --line: #343a42; --red: #ff8a80; --blue: #82b1ff; --green: #7ee0a0; --violet: #d7a6f5; --brown: #e8b865; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 Georgia, "Iowan Old Style", "Noto Serif", serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1, h2, h3, h4, header, figcaption, table, summary { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 1rem; } h2 { font-size: 1.4rem; margin: 2.2rem 0 .6rem; } h3 { font-size: 1.12rem; margin: 1.6rem 0 .4rem; }
p, ul, ol { margin: .7rem 0; } a { color: var(--blue); }
header { color: var(--soft); font-size: .82rem; border-bottom: 1px solid var(--line); padding-bottom: .6rem; margin-bottom: 2rem; }
header .stopped { color: var(--red); font-weight: 600; }
pre, code { font-family: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace; font-size: .82rem; line-height: 1.5; }
pre { margin: 0; overflow-x: auto; } :not(pre) > code { background: var(--box); padding: .1em .3em; border-radius: 3px; }
.cell { margin: 1.1rem 0; } .markdown pre, .input { background: var(--box); border-radius: 6px; padding: .7rem .9rem; }
.input { position: relative; } .count { position: absolute; right: .7rem; top: .35rem; color: var(--soft); font: .7rem ui-monospace, monospace; }
.output { margin: .6rem 0 0; padding-left: .9rem; } .output > * { margin: .4rem 0; }
.stderr { color: var(--soft); border-left: 3px solid var(--brown); padding-left: .7rem; } .error { border-left: 3px solid var(--red); padding-left: .7rem; }
.html { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: .4rem 0; }
th, td { padding: .28rem .7rem; border-bottom: 1px solid var(--line); text-align: left; } thead th { border-bottom: 2px solid var(--line); }
figure { margin: .8rem 0; } figcaption { color: var(--soft); font-size: .85rem; margin-top: .3rem; }
.picture img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; } .chart { overflow-x: auto; }
blockquote { border-left: 3px solid var(--line); margin: .8rem 0; padding-left: 1rem; color: var(--soft); }
math { font-size: 1.08em; } math[display="block"] { margin: 1rem 0; overflow-x: auto; }
.ansi-red, .hljs-deletion { color: var(--red); } .ansi-green, .hljs-string, .hljs-addition, .hljs-regexp { color: var(--green); } .ansi-yellow, .hljs-number, .hljs-literal { color: var(--brown); }
.ansi-blue, .hljs-title, .hljs-title.function_ { color: var(--blue); } .ansi-magenta, .hljs-keyword, .hljs-built_in { color: var(--violet); } .ansi-cyan { color: var(--blue); } .ansi-grey, .hljs-comment { color: var(--soft); } .ansi-bold { font-weight: 700; }
@media print { .cell { break-inside: avoid; } .input { border: 1px solid var(--line); } }
`;
