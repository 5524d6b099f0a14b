// Profiles, merges and saves a small model in a process of its own, which kills itself at a given point.
// usage: merge-and-save.ts FOLDER STATE [read PART | piece N | end]
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { from, load } from "../../sdk/pipeline.js";
import { fixture } from "./shared.js";

const [folder, state, when, what] = process.argv.slice(2);
const die = () => process.kill(process.pid, "SIGKILL");

const loaded = await load(fixture("models/olmoe_bf16"), { memory: 100_000 });
const { weights } = loaded.model;
const [values, bytes] = [weights.values.bind(weights), weights.bytes!.bind(weights)];
let reads = 0;
const see = (name: string) => {
  if (name.includes(".experts.")) reads++;
  if (when === "read" && name.includes(what)) die();
};
weights.values = (name) => {
  see(name);
  return values(name);
};
weights.bytes = (name, rows) => {
  see(name);
  return bytes(name, rows);
};
const ids = [[5, 9, 2, 31, 7, 64, 12, 3], [8, 1, 44, 21, 17, 60, 33, 29]];
const profiled = await from(loaded).profile({ data: [{ ids, labels: ids }, { ids: [ids[1]], labels: [ids[1]] }],
  state });
const readToProfile = reads;
const { model, profile, state: { opened } } = await from(profiled).merge({ method: "m-smoe", keep: 0.5 });
let piece = 0;
const saved = await saveModel(folder, model, {
  config: opened.config,
  family: opened.family,
  original: opened.store,
  filesFrom: opened.folder,
  maxShardBytes: 15_000,
  noteBytes: 5_000,
  // asked for when all weights are there and moelab.json is made
  provenance: { ...(when === "end" && { toJSON: die }) },
  onProgress: () => {
    if (when === "piece" && ++piece === Number(what)) die();
  },
});
console.log(
  JSON.stringify({ profile, readToProfile, resumedBytes: saved.resumedBytes, files: saved.files.filter(({ name }) =>
    name.startsWith("model")
  ) }),
);
