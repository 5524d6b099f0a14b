import { existsSync } from "node:fs";
import { cost, provenance, readReport, report, type ReportFile, type TaskResult, taskResult, taskResults,
  writeReport } from "../../../sdk/evaluate/index.js";
import { Model } from "../../../sdk/model/model.js";
import { moeLayers } from "../../../sdk/model/spec.js";
import { packageFile } from "../../../sdk/package-file.js";
import { changeStage } from "../../../sdk/stages/change.js";
import { profileStage } from "../../../sdk/stages/profile.js";
import type { StudyState } from "../../../sdk/stages/study-state.js";
import { Rng } from "../../../sdk/tensor/index.js";
import { toBatch } from "../../../sdk/text/task-batch.js";
import { measurements, usageOf } from "./measurements.js";
import { draw, loadPool } from "./pool.js";
import { type Arm, armsOf, calibrationItems, compression, type Regime, study, tasks } from "./recipe.js";
import { recover, RecoveryData } from "./recover.js";
import { Bed } from "./score.js";
import { finetuned } from "./teacher.js";

/** One teacher: the unit of the study. */
export interface Piece {
  regime: Regime;
  seed: number;
  task: string;
  teacher: number;
}

export const pieceName = ({ regime, seed, task, teacher }: Piece) => `${regime}-${seed}.${task}-${teacher}`;
export const pieceFile = (piece: Piece) => packageFile(`data/results/${study}/${pieceName(piece)}.json`);

/**
 * Runs every arm on one teacher and writes `data/results/mc-smoe/PIECE.json` after each, in the layout of
 * lm-evaluation-harness with one entry "TASK ARM KEEP STAGE" for each model that was scored. Entries that are there
 * already are kept, so an interrupted piece goes on where it was, and a new arm is added to old pieces.
 */
export async function runPiece(piece: Piece): Promise<void> {
  const { regime, seed, task, teacher: number } = piece;
  const file = pieceFile(piece);
  const found: ReportFile | undefined = existsSync(file) ? await readReport(file) : undefined;
  const known = new Set(Object.keys(found?.results ?? {}));
  const results: TaskResult[] = found ? taskResults(found) : [];
  const wanted = armsOf(task).filter((arm) => keysOf(task, arm).some((key) => !known.has(key)));
  if (wanted.length === 0) return;

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
  const start: StudyState = { model: teacher, original: teacher, opened, steps: [] };
  // what a method wants to know beyond this is measured once
  let profiled = await profileStage(start, { data: batches, seed: number });
  const about = provenance({ model: { id: pieceName(piece), fingerprint: await teacher.weights.fingerprint() },
    seed: number, options: { regime, pretraining_seed: seed },
    command: `npm run study:mc-smoe -- ${pieceName(piece)}` });
  const began = performance.now();
  const measured = found?.measurements
    ?? (tasks[task].usageAlone ? usageOf(profiled) : await measurements(profiled, number));

  for (const arm of wanted) {
    for (const keep of arm.keep) {
      const keys = keysOf(task, arm, keep).filter((key) => !known.has(key));
      if (keys.length === 0) continue;
      const { model, from = model } = await changed(arm, keep);
      for (const key of keys) {
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
          config: {
            task,
            arm: arm.name,
            of: arm.of,
            keep,
            stage,
            ...(arm.change && { change: arm.change }),
            parameters: parameters.total,
            bytes_float16: sizeBytes.float16,
            flops_per_token: flopsPerToken,
            ...(arm.compress && scored !== model && { kept_rows: keptRows(scored) }),
            seconds: round((performance.now() - started) / 1000),
          },
        }));
        if (scored !== model) await scored.dispose();
      }
      for (const one of [model, from]) if (one !== teacher) await one.dispose();
      await writeReport(file, { ...report(results, { provenance: about }), measurements: measured });
      console.log(`${pieceName(piece)}: ${arm.name} at ${keep}, ${Math.round((performance.now() - began) / 1000)} s`,
        Object.fromEntries(
          results.slice(-keys.length).map(({ task: key, metrics }) => [key, metrics.filter(({ metric }) =>
            ["exact_match", "kl"].includes(metric)
          ).map(({ value }) => round(value)).join(" ")]),
        ));
    }
  }
  await teacher.dispose();

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
}

/** methods that draw groups or weights */
const seeded = new Set(["m-smoe", "averaging", "zipit", "repair", "git-rebasin"]);

/** Rows of the remainders that are left of each stored expert of a layer, over its matrices (figure 5). */
function keptRows({ spec }: Model): Record<string, number[]> {
  const factored = moeLayers(spec).map(({ id, ffn }) =>
    [id, ffn.slots.flatMap((slot) => (slot.form === "low-rank-sparse"
      ? [Object.values(slot.rows).reduce((sum, rows) =>
        sum + rows, 0)]
      : [])
    )] as const
  );
  return Object.fromEntries(factored.filter(([, rows]) => rows.length > 0));
}

/** The entries that an arm has, at one ratio or at all. */
function keysOf(task: string, arm: Arm, only?: number): string[] {
  return arm.keep.filter((keep) => only === undefined || keep === only).flatMap((keep) => {
    const draws = arm.recover?.keep.includes(keep) ? arm.recover.draws : 0;
    return [...(arm.alone ? [] : ["changed"]), ...Array.from({ length: draws }, (_, draw) => `recovered-${draw}`)].map(
      (stage) => `${task} ${arm.name} ${keep} ${stage}`
    );
  });
}

const round = (value: number) => Number(value.toFixed(3));
