// Kills what writes and lets it go on, at places that a seed draws.
// usage: node --import tsx test/kill/kill.test.ts [KILLS [SEED]]   default 4 kills, seed 0
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Rng } from "../../sdk/tensor/rng.js";

const test = suite("killed");
const [kills, seed] = [Number(process.argv[2] ?? 4), Number(process.argv[3] ?? 0)];
const root = mkdtempSync(join(tmpdir(), "moelab-kill-"));
test.after(() => rmSync(root, { recursive: true }));
/** at most so many kills before one lets it finish */
const IN_A_ROW = 4;

const USERS = ["thesis.tex", "out.part/mine.txt", "out.part-old/mine.txt", "training/chapter.tex",
  "training/state.json", "profile/sweep.json", "training.part/mine.txt", "plan.json.part", "kill.ipynb.part"];

function folderWithUsersFiles(name: string): string {
  for (const file of USERS) {
    mkdirSync(dirname(join(root, name, file)), { recursive: true });
    writeFileSync(join(root, name, file), `mine: ${file}`);
  }
  return join(root, name);
}

function run(folder: string, ...kill: string[]): Promise<{ calls: number; outcome: unknown } | "killed"> {
  const script = fileURLToPath(new URL("everything.ts", import.meta.url));
  return new Promise((done, failed) => {
    execFile(process.execPath, ["--import", "tsx", script, folder, ...kill], (error, stdout, stderr) => {
      if (error?.signal === "SIGKILL") done("killed");
      else if (error) failed(new Error(stderr));
      else done(JSON.parse(stdout.trim().split("\n").at(-1)!));
    });
  });
}

test(`${kills} kills: the same bytes as without, and nothing of the user's is gone`, async () => {
  const whole = await run(folderWithUsersFiles("whole"));
  if (whole === "killed") throw new Error("it was killed by somebody else");
  const rng = new Rng(`kills ${seed}`);
  let killed = 0;
  for (let round = 0; killed < kills; round++) {
    const folder = folderWithUsersFiles(`round-${round}`), places: string[] = [];
    // later tries have less to do: a place that is not reached lets it finish
    for (let i = 0; i < IN_A_ROW && killed < kills; i++) {
      const kill = [String(1 + rng.int(whole.calls)), rng.int(2) ? "after" : "before"];
      places.push(kill.join(" "));
      if (await run(folder, ...kill) === "killed") killed++;
      else break;
    }
    const again = await run(folder);
    if (again === "killed") throw new Error("it was killed by somebody else");
    assert.equal(again.outcome, whole.outcome, `killed at call ${places.join(", then ")}`);
    for (const file of USERS) assert.is(readFileSync(join(folder, file), "utf8"), `mine: ${file}`, file);
    rmSync(folder, { recursive: true });
  }
  console.log(`${killed} kills at ${whole.calls} places`);
});

test.run();
