import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** there and back: how often each side has its turn of a case, a moment each */
const turns = 6;

/**
 * Asks several programs for the same cases, one after the other, there and back, and keeps the best of each: on a
 * machine whose
 * speed wanders by the second every side meets its fast moments.
 *
 * @param programs by side; each prints a line of JSON with its `cases`, then a number for each line of input that names
 *   one
 * @returns by side what was printed first, with `results` by case in place of `cases`
 */
export async function inTurns(programs) {
  const asked = Object.entries(programs).map(([side, { program, args, env }]) => {
    const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => {
      for (;;) {
        const { value, done } = await lines.next();
        if (done) throw new Error(`${program} ${args.join(" ")} ended before its answer`);
        if (/^[\d{]/.test(value)) return JSON.parse(value);
      }
    };
    return { side, child, next, results: {} };
  });
  const about = {};
  for (const { side, next } of asked) about[side] = await next();
  for (const name of about[asked[0].side].cases) {
    for (const one of Array.from({ length: turns }, () => [...asked, ...[...asked].reverse()]).flat()) {
      one.child.stdin.write(`${name}\n`);
      one.results[name] = Math.max(one.results[name] ?? 0, await one.next());
    }
  }
  for (const { child } of asked) child.stdin.end();
  return Object.fromEntries(asked.map(({ side, results }) => [side, { ...about[side], cases: undefined, results }]));
}
