import { cost, type TaskResult, taskResult } from "../../../sdk/evaluate/index.js";
import type { Bench, Experiment, Job, Unit } from "../../../sdk/experiment/experiment.js";
import { isLowRankSparse } from "../../../sdk/model/form/low-rank-sparse.js";
import type { Model } from "../../../sdk/model/model.js";
import { moeLayers } from "../../../sdk/model/spec.js";
import { changeStage } from "../../../sdk/stages/change.js";
import { profileStage } from "../../../sdk/stages/profile.js";
import { Rng } from "../../../sdk/tensor/index.js";
import { toBatch } from "../../../sdk/text/task-batch.js";
import { measurements, usageOf } from "./measurements.js";
import { draw, loadPool } from "./pool.js";
import { type Arm, armsOf, calibrationItems, compression, pretrainingSeeds, type Regime, regimes, study,
  tasks } from "./recipe.js";
import { recover, RecoveryData } from "./recover.js";
import { Bed } from "./score.js";
import { finetuned } from "./teacher.js";

/** One teacher, `REGIME-SEED.TASK-NUMBER`. */
interface Teacher extends Unit {
  regime: Regime;
  seed: number;
  task: string;
  number: number;
}

/** An arm at one ratio; a key "TASK ARM KEEP STAGE" for each model that is scored. */
interface ArmJob extends Job {
  arm: Arm;
  keep: number;
}

/** Teachers last: after each round every model has one more. */
const units = Object.entries(tasks).flatMap(([task, { teachers }]) =>
  teachers.flatMap((number) =>
    pretrainingSeeds.flatMap((seed) =>
      regimes.map((regime): Teacher => ({ name: `${regime}-${seed}.${task}-${number}`, regime, seed, task, number }))
    )
  )
);

export const experiment: Experiment<Teacher, ArmJob> = {
  name: study,
  units,
  jobs: ({ task }) =>
    armsOf(task).flatMap((arm) =>
      arm.keep.map((keep) => ({ arm, keep, name: `${arm.name} at ${keep}`, keys: keysOf(task, arm, keep) }))
    ),
  prepare,
};

async function prepare({ name, regime, seed, task, number }: Teacher): Promise<Bench<ArmJob>> {
  const pool = await loadPool(task);
  const opened = await finetuned(regime, seed, pool, number);
  const teacher = opened.model;
  const bed = new Bed(pool.test, teacher);
  const draws = [0, 1].map((draw) =>
    new RecoveryData(pool, teacher, `${study} ${task} recovery ${seed} ${number} ${draw}`)
  );
  const items = draw(pool.train, calibrationItems, new Rng(`${study} ${task} calibration ${seed} ${number}`));
  const batches = Array.from({ length: calibrationItems / 64 },
    (_, at) => toBatch(items, Array.from({ length: 64 }, (_, row) => 64 * at + row)));
  // what a method wants to know beyond this is measured once
  let profiled = await profileStage({ model: teacher, original: teacher, opened, steps: [] }, { data: batches,
    seed: number });

  /** The arm's model, and what its training starts from where that is another one. */
  async function changed(arm: Arm, keep: number): Promise<{ model: Model; from?: Model }> {
    if (arm.model === "teacher") return { model: teacher };
    if (arm.model === "dense") return { model: (await finetuned("dense", seed, pool, number)).model };
    if (arm.compress) return factored(arm.compress, keep);
    const { method, ...options } = arm.change!;
    const { model, profile, tensors } = await changeStage(profiled, { method, ...options, keep,
      ...(seeded.has(method) && { seed: number }) }, undefined);
    profiled = { ...profiled, profile, tensors };
    return { model, ...(arm.eager && { from: teacher }) };
  }

  /** Low rank + sparse: zero-shot with the rows of the largest norm, and with whole remainders to train on. */
  async function factored(from: "full" | "m-smoe", keep: number): Promise<{ model: Model; from: Model }> {
    const base = from === "full"
      ? profiled
      : await profileStage(await changeStage(profiled, { method: "m-smoe", keep }, undefined), { data: batches,
        seed: number });
    const compress = async (share: number) =>
      (await changeStage(base, { method: "low-rank-sparse", rank: compression.rank, keep: share }, undefined)).model;
    return { model: await compress(compression.keep), from: await compress(1) };
  }

  return {
    model: { id: name, fingerprint: await teacher.weights.fingerprint() },
    seed: number,
    options: { pretraining_seed: seed },
    measure: async () => tasks[task].usageAlone ? usageOf(profiled) : await measurements(profiled, number),
    dispose: () => teacher.dispose(),

    async run({ arm, keep }, missing) {
      const results: TaskResult[] = [];
      const { model, from = model } = await changed(arm, keep);
      for (const key of missing) {
        const started = performance.now();
        const stage = key.split(" ").pop()!;
        const scored = stage === "changed"
          ? model
          : await recover(from, draws[Number(stage.split("-")[1])], { alone: arm.alone,
            compress: arm.compress !== undefined, ...(arm.eager && { eager: keep }) });
        const scores = await bed.score(scored, arm.of === "paper" || arm.of === "further");
        // while experts are masked and not yet cut out, the changed model's size is the one
        const { parameters, sizeBytes, flopsPerToken } = cost(arm.eager ? model.spec : scored.spec);
        results.push(taskResult(key, scores, {
          config: { task, arm: arm.name, of: arm.of, keep, stage, ...(arm.change && { change: arm.change }),
            parameters: parameters.total, bytes_float16: sizeBytes.float16, flops_per_token: flopsPerToken,
            ...(arm.compress && scored !== model && { kept_rows: keptRows(scored) }),
            seconds: Number(((performance.now() - started) / 1000).toFixed(3)) },
        }));
        if (scored !== model) await scored.dispose();
      }
      for (const one of [model, from]) if (one !== teacher) await one.dispose();
      return results;
    },
  };
}

/** methods that draw groups or weights */
const seeded = new Set(["m-smoe", "averaging", "zipit", "repair", "git-rebasin"]);

/** Rows of the remainders that are left of each stored expert of a layer, over its matrices (figure 5). */
function keptRows({ spec }: Model): Record<string, number[]> {
  const factored = moeLayers(spec).map(({ id, ffn }) =>
    [id, ffn.slots.flatMap((slot) => {
      const forms = slot.form === "dense" ? Object.values(slot.maps ?? {}) : [];
      return forms.length > 0 ? [forms.reduce((sum, form) => sum + (isLowRankSparse(form) ? form.rows : 0), 0)] : [];
    })] as const
  );
  return Object.fromEntries(factored.filter(([, rows]) => rows.length > 0));
}

function keysOf(task: string, arm: Arm, keep: number): string[] {
  const draws = arm.recover?.keep.includes(keep) ? arm.recover.draws : 0;
  return [...(arm.alone ? [] : ["changed"]), ...Array.from({ length: draws }, (_, draw) => `recovered-${draw}`)].map(
    (stage) => `${task} ${arm.name} ${keep} ${stage}`
  );
}
