import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MoeError } from "../errors.js";
import { type TaskResult, taskResults } from "../evaluate/index.js";
import { create, from, load } from "../pipeline.js";
import type { Study } from "../stages/study.js";
import { paidExperts } from "../train/paid-experts.js";
import { exclusively } from "./exclusive.js";
import type { Bench, Experiment, Job, Unit } from "./experiment.js";
import { filled } from "./filled.js";
import type { Begin, StudyArm, StudyFile, Verb } from "./study-file.js";

type Values = Readonly<Record<string, unknown>>;

/** A unit of a recipe: one value of every axis. */
export interface ChainUnit extends Unit {
  values: Values;
}

interface ChainJob extends Job {
  arm: StudyArm;
  keep: number;
}

export interface ChainExperimentOptions {
  /** keeps the models that are trained once for all */
  models: string;
}

/**
 * Makes the experiment that a recipe describes: every arm is a chain of stages, run through the public chain, and is
 * scored where the chain names a stage.
 *
 * @throws MoeError `no-arms` for a study whose models are made by code
 */
export function chainExperiment(
  name: string,
  study: StudyFile,
  { models }: ChainExperimentOptions,
): Experiment<ChainUnit, ChainJob> {
  const { arms, units } = study;
  if (!arms || !units)
    throw new MoeError("no-arms", `study: ${name} names no arms and units; accepted is a recipe with both.`);
  const tasksOf = ({ values }: ChainUnit) => {
    const { task, corpus = "moby-dick" } = filled(study.evaluate, values);
    return [task ?? corpus].flat() as string[];
  };
  return {
    name,
    units: unitsOf(study),
    jobs: (unit) =>
      arms.flatMap((arm) =>
        arm.keep.map((keep) => ({ arm, keep, name: `${arm.arm} at ${keep}`, keys: tasksOf(unit).flatMap((task) =>
          arm.chain.filter((stage) =>
            typeof stage === "string"
          ).map((stage) => keyOf(task, arm.arm, keep, stage))
        ) }))
      ),
    prepare: (unit) => prepare(study, unit, models),
  };
}

function keyOf(task: string, arm: string, keep: number, stage: unknown): string {
  return `${task} ${arm} ${keep} ${String(stage)}`;
}

/** Every combination of the axes; the last one turns slowest, so that no task waits for another's seeds. */
function unitsOf({ units = {}, let: named }: StudyFile): ChainUnit[] {
  const axes = Object.entries(units);
  const all = axes.toReversed().reduce<Values[]>(
    (rows, [axis, values]) => rows.flatMap((row) => values.map((value) => ({ ...row, [axis]: value }))),
    [{}],
  );
  const last = axes.at(-1)?.[0] ?? "";
  return all.map((row) => {
    const words = axes.slice(0, -1).map(([axis]) => String(row[axis]));
    return { name: [words.join("."), row[last]].filter((part) => part !== "").join("-"),
      regime: String(row.regime ?? row.task ?? ""), values: { ...named, ...row } };
  });
}

async function prepare(study: StudyFile, unit: ChainUnit, folder: string): Promise<Bench<ChainJob>> {
  const values: Record<string, unknown> = { ...unit.values };
  for (const [name, begin] of Object.entries(study.models))
    values[name] = await trained(name, filled(begin, values) as Begin, folder);
  const begins = new Map<string, Promise<Study>>();
  /** arms that begin alike share the model and what was measured about it */
  const begun = (begin: Begin): Promise<Study> => {
    const key = JSON.stringify(begin);
    if (!begins.has(key)) begins.set(key, started(begin));
    return begins.get(key)!;
  };
  const first = await begun(filled(study.model ?? [], values) as Begin);
  return {
    model: { id: first.model.id, fingerprint: await first.model.weights.fingerprint() },
    seed: typeof values.seed === "number" ? values.seed : undefined,
    options: { unit: unit.name },
    async run({ arm, keep }, missing) {
      const steps = filled(arm.chain, { ...values, keep });
      const own = filled(arm.model ?? study.model ?? [], { ...values, keep }) as Begin;
      let now = await begun(own);
      if (typeof steps[0] === "object" && "profile" in steps[0])
        now = await begun([...own, steps.shift() as Begin[number]]);
      const shared = new Set(
        [...(await Promise.all(begins.values()))].flatMap(({ model, original }) => [model, original]),
      );
      const results: TaskResult[] = [];
      const started = performance.now();
      for (const [at, step] of steps.entries()) {
        if (typeof step !== "string") {
          const before = now;
          now = await done(now, step);
          for (const model of [before.model, before.original])
            if (![now.model, now.original, ...shared].includes(model)) await model.dispose();
          continue;
        }
        const { evaluation } = await from(now).evaluate({ before: false, ...filled(study.evaluate, values) });
        const { parameters, sizeBytes, flopsPerToken } = evaluation!.after.cost;
        const { training } = now.steps.at(-1) ?? {};
        const paid = training && paidExperts(training.load, now.model.spec);
        for (const result of taskResults(evaluation!.report)) {
          if (paid !== undefined)
            result.metrics.push({ metric: "experts_per_token", value: paid, higherIsBetter: false });
          const key = keyOf(result.task, arm.arm, keep, step);
          if (missing.includes(key))
            results.push({ ...result, task: key,
              config: { task: result.task, arm: arm.arm, keep, stage: step, chain: steps.slice(0, at).filter((one) =>
                typeof one !== "string"
              ), parameters: parameters.total, bytes_float16: sizeBytes.float16, flops_per_token: flopsPerToken,
                ...(training?.collapsed.length && { collapsed: training.collapsed }),
                seconds: Number(((performance.now() - started) / 1000).toFixed(3)) } });
        }
      }
      for (const model of new Set([now.model, now.original])) if (!shared.has(model)) await model.dispose();
      return results;
    },
    async dispose() {
      const all = await Promise.all(begins.values());
      for (const model of new Set(all.flatMap(({ model, original }) => [model, original]))) await model.dispose();
    },
  };
}

/** One stage of the chain. */
async function done(study: Study, stage: Record<string, unknown>): Promise<Study> {
  const [[verb, options]] = Object.entries(stage) as [Verb, never][];
  // each verb checks what it is given itself
  return (from(study) as unknown as Record<Verb, (options: never) => PromiseLike<Study>>)[verb](options);
}

async function started([first, ...rest]: Begin): Promise<Study> {
  const [[verb, given]] = Object.entries(first);
  const { model, architecture, ...options } = (typeof given === "string" ? { model: given } : given) as Record<string,
    unknown>;
  const { experts, router, shared, every, passes, ...how } = options;
  // what is said beside a configuration that arms share
  const own = Object.entries({ experts, router, shared, every, passes }).filter(([, value]) => value !== undefined);
  let study =
    await (verb === "create"
      ? create({ ...(architecture as object), ...Object.fromEntries(own) }, how)
      : load(String(model), options));
  for (const stage of rest) study = await done(study, stage);
  return study;
}

/** Folder of a model that several units share: trained when it is first needed, by one process at a time. */
async function trained(name: string, begin: Begin, models: string): Promise<string> {
  const key = createHash("sha256").update(JSON.stringify(begin)).digest("hex").slice(0, 12);
  const folder = join(models, `${name}-${key}`);
  await exclusively(`${folder}.lock`, async () => {
    if (existsSync(join(folder, "config.json"))) return;
    const study = await started(begin);
    await from(study).save(folder, { overwrite: true });
    for (const model of new Set([study.model, study.original])) await model.dispose();
  }, { wait: true });
  return folder;
}
