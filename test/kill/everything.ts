// Does everything that writes, in FOLDER, and kills itself at its Nth call that changes the disk: before the call, or
// after it with "after". At the end prints how many calls there were and what came out.
// usage: everything.ts FOLDER [N [after]]
import { createHash } from "node:crypto";
import fs, { mkdirSync, readdirSync, readFileSync } from "node:fs";
import fsp from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { newNotebook } from "../../kernels/headless/new-notebook.js";
import { writeNotebook } from "../../kernels/headless/notebook.js";
import { installKernel } from "../../kernels/moelab/install.js";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { writeReport } from "../../sdk/evaluate/report-file.js";
import { Trainable } from "../../sdk/model/trainable.js";
import { load } from "../../sdk/pipeline.js";
import { savePlan } from "../../sdk/plan/plan-file.js";
import { saveProfile } from "../../sdk/profile/profile-file.js";
import { ready } from "../../sdk/tensor/index.js";
import { train } from "../../sdk/train/train.js";
import { fixture } from "../support/shared.js";

const [folder, last = Infinity, when] = process.argv.slice(2);
await ready();
let calls = 0;
const die = () => process.kill(process.pid, "SIGKILL");
function counted(owner: Record<string, any>, names: readonly string[], isSync = false): void {
  for (const name of names) {
    const original = owner[name];
    owner[name] = function(this: unknown, ...given: unknown[]) {
      const isLast = ++calls === Number(last);
      if (isLast && when !== "after") die();
      const outcome = original.apply(this, given);
      if (!isLast) return outcome;
      return isSync ? die() : Promise.resolve(outcome).finally(die);
    };
  }
}
const probe = await fsp.open(process.execPath);
counted(Object.getPrototypeOf(probe), ["write", "sync", "datasync"]);
await probe.close();
counted(fsp, ["mkdir", "writeFile", "rename", "rm", "link", "rmdir", "open", "copyFile", "symlink"]);
counted(fs, ["mkdirSync", "writeFileSync", "renameSync", "copyFileSync", "rmSync"], true);
syncBuiltinESMExports();

const at = (name: string) => join(folder!, name);
const { model, config, family, store } = await openModel(fixture("models/olmoe_bf16"));

const trainable = await Trainable.from(model.spec, model.weights);
const batch = (step: number) => ({ ids: [[5, 9, step, 4]], labels: [[9, step, 4, 1]] });
const { losses } = await train(trainable, { steps: 4, lr: 1e-3, batch,
  state: { folder: at("training"), every: 1, key: "kill" } });
const trained = await (await trainable.snapshot()).fingerprint();
trainable.dispose();

const ids = [[5, 9, 2, 31, 7, 64, 12, 3], [8, 1, 44, 21, 17, 60, 33, 29]];
const study = await load(fixture("models/olmoe_bf16")).profile({ data: [{ ids, labels: ids }], state: at("profile") })
  .merge({ method: "m-smoe", keep: 0.5 });
await saveProfile(at("profile.json"), study.profile!);
await savePlan(at("plan.json"), study.state.plan!);
await writeReport(at("report.json"), { results: { a: { "acc,none": 0.5, "acc_stderr,none": "N/A" } },
  configs: { a: {} }, versions: { a: 1 }, "n-shot": { a: 0 }, "n-samples": { a: { original: 1, effective: 1 } } });
const notebook = newNotebook("kill");
notebook.cells.forEach((cell, i) => (cell.id = `cell-${i}`));
await writeNotebook(at("kill.ipynb"), notebook, { verb: "run", replaces: (text) => text.startsWith("{\n \"cells\"") });
mkdirSync(at("jupyter"), { recursive: true });
installKernel({ name: "moelab", prefix: at("jupyter") });
for (const dtype of [undefined, "F32"] as const) // the second replaces the first
  await saveModel(at("out"), model, { config, family, original: store, maxShardBytes: 60_000, noteBytes: 20_000, dtype,
    overwrite: true });

const bytes = createHash("sha256");
for (const name of readdirSync(folder!, { recursive: true, encoding: "utf8" }).sort()) {
  if (/^(training|profile)\/moelab-/.test(name) || !fs.statSync(at(name)).isFile()) continue;
  bytes.update(`${name}\n`).update(readFileSync(at(name)));
}
const names = readdirSync(folder!, { recursive: true, encoding: "utf8" }).map((name) =>
  name.replace(/[0-9a-f-]{36}/, "ID")
).sort();
console.log(JSON.stringify({ calls, outcome: { losses, trained, bytes: bytes.digest("hex"), names } }));
process.exit(0);
