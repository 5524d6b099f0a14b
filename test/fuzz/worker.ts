// usage: fuzz.mjs starts it: FOLDER SEED FIRST COUNT [KINDS [show]]. Inputs go round over the kinds.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MoeError } from "../../sdk/errors.js";
import { ready, Rng } from "../../sdk/tensor/index.js";
import { kinds } from "./kinds.js";

const [root, seed, first, count, asked, show] = process.argv.slice(2);
const names = asked ? asked.split(",") : Object.keys(kinds);
console.log = console.warn = console.error = show ? console.log : () => {};
await ready();
const base = join(root!, "base");
mkdirSync(base, { recursive: true });
let late: unknown;
process.on("unhandledRejection", (error) => (late = error));
process.on("uncaughtException", (error) => (late = error));

for (let at = Number(first); at < Number(first) + Number(count); at++) {
  const kind = names[at % names.length]!;
  const folder = join(root!, "input");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  await new Promise((sent) => process.send!({ begin: { kind, at } }, sent));
  const started = performance.now();
  let raw = "", accepted = false;
  const judge = (error: unknown) => {
    const { name, message, stack } = error as Error;
    if (show) console.log(error);
    if (error instanceof MoeError) {
      if (message.length > 7000) raw = `a message of ${message.length} characters`;
      else if (/\[object Object\]|\bundefined\b(?!")|native code/.test(
        message.replace(/"[^"]*"|'[^']*' is undefined/g, ""),
      ))
        raw = `words of JavaScript: ${message}`;
    } else raw = `${name}: ${message.slice(0, 200)} ${
        stack?.split("\n").filter((line) => line.includes("/sdk/") || line.includes("/kernels/")).slice(0, 4).join(" ")
      }`;
  };
  late = undefined;
  try {
    await kinds[kind]!(new Rng(`fuzz ${seed} ${kind} ${at}`), folder, base);
    accepted = true;
  } catch (error) {
    judge(error);
  }
  await new Promise(setImmediate);
  if (late) judge(late);
  await new Promise((sent) => process.send!({ accepted, raw, timeMs: Math.round(performance.now() - started) }, sent));
}
process.exit(0);
