import { escapeHtml } from "./escape.js";

const CLASSES: Record<string, string> = { 1: "bold", 30: "black", 31: "red", 32: "green", 33: "yellow", 34: "blue",
  35: "magenta", 36: "cyan", 90: "grey", 91: "red", 92: "green", 93: "yellow", 94: "blue", 95: "magenta", 96: "cyan" };

/** Terminal text as HTML: escaped, with the sixteen colours as classes; other control sequences are dropped. */
export function ansiToHtml(text: string): string {
  let open = 0;
  const html = escapeHtml(text).replace(/\u001b\[([\d;]*)m/g, (_, codes: string) => {
    let out = "";
    for (const code of codes.split(";")) {
      if (code === "" || code === "0" || code === "39" || code === "22") {
        out += "</span>".repeat(open);
        open = 0;
      } else if (CLASSES[code]) {
        out += `<span class="ansi-${CLASSES[code]}">`;
        open++;
      }
    }
    return out;
  });
  return (html + "</span>".repeat(open)).replace(/\u001b\[[\d;?]*[A-Za-z]/g, "");
}
