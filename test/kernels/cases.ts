import type { Test } from "uvu";
import * as assert from "uvu/assert";
import { type Session, sleep } from "./session.js";

/**
 * Cells, run one after the other in the same kernel, then what the last one gives: its value, or "~" and what it
 * printed, or
 * "!" and a part of its error. All but the last must succeed.
 */
export type Case = [...cells: string[], expected: string];

/** What a cell gives, in one line. */
export async function given(session: Session, code: string): Promise<string> {
  const ran = await session.run(code);
  await sleep(ran.stdout ? 0 : 5);
  if (ran.status !== "ok") return `!${ran.content.ename}: ${ran.content.evalue}`;
  return ran.value ? ran.value.replace(/\s+/g, " ") : `~${ran.stdout.trimEnd().replaceAll("\n", " ")}`;
}

/** Runs cases as one test, in order: a later one may use what an earlier one has declared. */
export function cases(test: Test, session: () => Session, about: string, all: Case[]): void {
  test(about, async () => {
    for (const each of all) {
      const expected = each.at(-1)!;
      const codes = each.slice(0, -1);
      for (const code of codes.slice(0, -1)) assert.not.match(await given(session(), code), /^!/, code);
      const seen = await given(session(), codes.at(-1)!);
      if (expected.startsWith("!"))
        assert.ok(seen.startsWith("!") && seen.includes(expected.slice(1)),
          `${codes.at(-1)}\n${seen}\nexpected ${expected}`);
      else assert.is(seen, expected, codes.at(-1));
    }
  });
}
