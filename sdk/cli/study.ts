import { Command } from "commander";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MoeError, suggest } from "../errors.js";
import { readReport } from "../evaluate/index.js";
import { differences } from "../experiment/differences.js";
import { exclusively, holder } from "../experiment/exclusive.js";
import { processes, thisProcess } from "../experiment/executor.js";
import type { Experiment, Unit } from "../experiment/experiment.js";
import { findExperiment, workFolder } from "../experiment/find-experiment.js";
import { publishedStudy } from "../experiment/published-study.js";
import { runUnit } from "../experiment/run-unit.js";
import { findStudy, studySlugs } from "../experiment/study-file.js";
import { ready } from "../tensor/index.js";
import { table } from "../view/index.js";

export const command = new Command("study");

command.command("list").description("the studies that moelab brings").action(() => {
  console.log(table(studySlugs().map((slug) => ({ study: slug, about: findStudy(slug).file.about }))).toText());
});

command.command("run").description("run what is not there yet; an interrupted unit goes on where it was").argument(
  "<study>",
  "a slug of data/studies, or a file of the same form",
).argument("[unit...]", "units by name; default all").option("-p, --processes <count>",
  "units at a time, each in a process of its own", "1").option("--out <folder>",
    "write results there instead of data/results/STUDY").action(
    async (ref: string, names: string[], options: { processes: string; out?: string }) => {
      const { name, experiment, results } = await opened(ref);
      const count = Number(options.processes);
      if (!Number.isInteger(count) || count < 1)
        throw new MoeError("bad-processes",
          `study run: --processes is ${options.processes}; accepted is a whole number from 1.`);
      const units = chosen(experiment, names);
      const folder = options.out ?? results;
      const command =
        (unit: string) => [process.argv[1], "study", "run", ref, unit, ...(options.out ? ["--out", options.out] : [])];
      await (count > 1 && units.length > 1 ? processes(count) : thisProcess).run(units.map((unit) => unit.name), {
        command,
        here: (unit) => runHere(name, experiment, units.find((one) => one.name === unit)!, folder, ref),
      });
    },
  );

command.command("status").description("what is done, what runs, what waits").argument("<study>").action(
  async (ref: string) => {
    const { name, experiment, results } = await opened(ref);
    const rows = [];
    for (const unit of experiment.units) {
      const file = join(results, `${unit.name}.json`);
      const known = existsSync(file) ? Object.keys((await readReport(file)).results) : [];
      const jobs = experiment.jobs(unit);
      const left = jobs.filter(({ keys }) => keys.some((key) => !known.includes(key)));
      const waits = left.find((job) => job.waits)?.waits;
      const owner = await holder(lockOf(name, unit.name, results));
      rows.push({ unit: unit.name, done: `${jobs.length - left.length} of ${jobs.length}`,
        now: owner ? `runs in process ${owner}` : left.length === 0 ? "complete" : waits ?? "to be run" });
    }
    console.log(table(rows, { maxRows: Infinity, columns: { unit: "text", done: "text", now: "text" } }).toText());
  },
);

command.command("judge").description("the verdict on every claim, from the results that are there").argument("<study>")
  .action(async (ref: string) => {
    const study = await publishedStudy(ref);
    console.log((await study.paperClaims()).toText());
    for (const group of study.groups) console.log(`\n${study.claims(group).limit({ rows: Infinity }).toText()}`);
  });

command.command("repeat").description("run units anew and compare every number with the results that are there")
  .argument("<study>").argument("<unit...>").action(async (ref: string, names: string[]) => {
    const { name, experiment, results } = await opened(ref);
    const folder = workFolder(`${name}/repeat`);
    for (const unit of chosen(experiment, names)) {
      await runHere(name, experiment, unit, folder, ref);
      const [old, now] = await Promise.all(
        [results, folder].map((each) => readReport(join(each, `${unit.name}.json`))),
      );
      console.log(`${unit.name}: ${differences(old, now)}`);
    }
  });

async function opened(ref: string) {
  const study = findStudy(ref);
  return { name: study.name, results: study.results, experiment: await findExperiment(study) };
}

function chosen(experiment: Experiment, names: readonly string[]): readonly Unit[] {
  const all = experiment.units.map(({ name }) => name);
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new MoeError("unknown-unit", `study: ${experiment.name} has no unit "${unknown}". ${suggest(unknown, all)}`);
  return names.length > 0
    ? names.map((name) => experiment.units.find((unit) => unit.name === name)!)
    : experiment.units;
}

function lockOf(study: string, unit: string, folder: string): string {
  return join(workFolder(study), `${folder.replace(/[^\w-]+/g, "_")}.${unit}.lock`);
}

async function runHere(name: string, experiment: Experiment, unit: Unit, folder: string, ref: string): Promise<void> {
  await ready();
  const clock = (seconds: number) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const ran = await exclusively(lockOf(name, unit.name, folder), () =>
    runUnit(experiment, unit, {
      folder,
      command: `npx moelab study run ${ref} ${unit.name}`,
      onWaiting: (job) => console.log(`${unit.name}: ${job.name} is left out for now, as ${job.waits}`),
      onProgress: ({ job, done, of, seconds, secondsLeft, results }) =>
        console.log(
          `${unit.name}  ${done}/${of}  ${job}  ${clock(seconds)}, ${clock(secondsLeft)} left  ${
            results.map(({ metrics }) =>
              metrics.slice(0, 4).map(({ metric, value }) => `${metric} ${value.toPrecision(3)}`).join(" ")
            ).slice(0, 2).join("; ")
          }`,
        ),
    }));
  if (!ran) console.log(`${unit.name}: another process runs it`);
}
