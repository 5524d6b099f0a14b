import { cleanText } from "../clean-text.js";
import { spamAssassin } from "../corpora/spam-assassin.js";
import { fragments } from "./fragments.js";
import { balance, type Parts, split } from "./split.js";
import { prose, SEPARATOR, symbol } from "./symbols.js";
import type { Item, Sizes } from "./task.js";

/**
 * Builds `spam`: the subject and the beginning of the body of a message, answered by junk or ham.
 * Split by subject without `re:` and `[list]`, so a thread stays in one part; equal beginnings count once.
 */
export function spamOrHam(sizes: Sizes): Parts {
  const items = new Map<string, Item>();
  for (const { id, text, fields } of spamAssassin()) {
    const subject = cleanText(fields.subject.replace(/\[[^\]]*\]/g, " ").replace(/\b(re|fwd?)\s*:/gi, " ")).slice(0, 30)
      .trim();
    const [body] = fragments(cleanText(bodyText(text)), 80, 1);
    // an encoded attachment is one long word
    if (!body || body.split(" ").length < 4) continue;
    const key = `${subject}|${body}`;
    if (!items.has(key)) {
      items.set(key, { id: `spam/${id}`, prompt: [...prose(subject), SEPARATOR, ...prose(body)],
        answer: [symbol(fields.spam ? "junk" : "ham")], document: subject });
    }
  }
  return balance(split([...items.values()]), sizes);
}

/**
 * Leaves out what would tell the label without reading: MIME headers, markup, links, addresses, quoted lines and who is
 * quoted.
 */
function bodyText(body: string): string {
  return body.slice(0, 20_000).replace(
    /^(--.*|Content-.*|This is a multi-part.*|[ \t]+(charset|boundary|name)=.*|.*\b(wrote|writes|said):\s*)$/gim,
    " ",
  ).replace(/^[>|:].*$/gm, " ").replace(/<(style|script)[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " ").replace(
    /&[a-z#0-9]+;/gi,
    " ",
  ).replace(/\b(https?|ftp):\S+|\bwww\.\S+|\S+@\S+/gi, " ");
}
