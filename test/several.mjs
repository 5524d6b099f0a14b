// Runs test files one after the other in this process, as test/run.mjs asks for those that leave nothing behind: what
// starting costs (the back end, word lists) is then paid once.
// usage: node several.mjs SCRIPT…   prints a line `=== begin N` before and `=== end N CODE` after each
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

globalThis.UVU_DEFER = 1; // for uvu when it loads: `test.run()` puts a suite into the queue, `exec` runs it
const { exec } = createRequire(import.meta.url)("uvu");
globalThis.UVU_INDEX = 0;

for (const [at, script] of process.argv.slice(2).entries()) {
  console.log(`=== begin ${at}`);
  process.exitCode = 0;
  globalThis.UVU_QUEUE = [[null]];
  try {
    await import(pathToFileURL(script).href);
    if (globalThis.UVU_QUEUE[0].length > 1) await exec();
  } catch (error) {
    console.log(error);
    process.exitCode = 1;
  }
  console.log(`=== end ${at} ${process.exitCode}`);
}
process.exit(process.exitCode);
