import { aggregate, cost, languageModel, runTask, scoreTask, type TaskBatch, type TaskResult, taskResult,
  TeacherLogits } from "../../../sdk/evaluate/index.js";
import type { Bench, Experiment, Job, Unit } from "../../../sdk/experiment/experiment.js";
import type { Model } from "../../../sdk/model/model.js";
import { changeStage } from "../../../sdk/stages/change.js";
import { profileStage } from "../../../sdk/stages/profile.js";
import type { StudyState } from "../../../sdk/stages/study-state.js";
import { Rng } from "../../../sdk/tensor/index.js";
import type { ChoiceQuestion } from "../../../sdk/text/tasks/zero-shot/choice-question.js";
import { type ZeroShotTask, zeroShotTasks } from "../../../sdk/text/tasks/zero-shot/zero-shot-tasks.js";
import { loadTokenizer, type Tokenizer } from "../../../sdk/text/tokenizer.js";
import { importantRows } from "./important-rows.js";
import { isTrained, trained } from "./models.js";
import { allPieces, type Arm, armsOf, calibrationWindows, compression, draws, type Group, mixture, naeeWindows,
  type Piece, pieceName, questions, regimes, study, testWindows } from "./recipe.js";
import { batchOf, drawWindows } from "./windows.js";

/** An arm at one ratio, planned for a group of domains and scored on its tasks. */
interface ArmJob extends Job {
  group: Group;
  arm: Arm;
  keep: number;
}

const untrained = (kind: string, seed: number) =>
  `there is no ${kind} model of seed ${seed}; data/models/train-nano-decoder.ts trains it`;

export const experiment: Experiment<Piece & Unit, ArmJob> = {
  name: study,
  units: allPieces().map((piece) => ({ ...piece, name: pieceName(piece) })),
  jobs: ({ regime, seed, draw }) =>
    regimes[regime].flatMap((group) =>
      armsOf(regime, draw).flatMap((arm) =>
        arm.keep.map((keep) => ({ group, arm, keep, name: `${group.tasks.join("+")}: ${arm.name} at ${keep}`,
          keys: namesOf(group).map((task) => `${task} ${arm.name} ${keep}`), ...(!isTrained("moe", seed)
            ? { waits: untrained("moe", seed) }
            : arm.dense && !isTrained("dense", seed)
            ? { waits: untrained("dense", seed) }
            : {}) })
        )
      )
    ),
  prepare,
};

function namesOf({ tasks, domains }: Group): string[] {
  return [...tasks, ...domains.map((domain) => `text_${domain}`)];
}

async function prepare({ seed, draw }: Piece): Promise<Bench<ArmJob>> {
  const opened = await trained("moe", seed);
  const tokenizer = remembering(await loadTokenizer(opened.folder));
  const tasks = zeroShotTasks(questions * draws.length).map((task) => ({ ...task,
    documents: byLength(task.documents.filter((_, index) => index % draws.length === draw - 1)) })
  );
  const prepared = new Map<Group, Promise<{ bed: Bed; profiled: StudyState; few: StudyState }>>();

  /** Profiles and test items of a group, made when its first arm is run. */
  async function of(group: Group) {
    const parts = group.domains.reduce((sum, domain) => sum + mixture[domain], 0);
    const windows = group.domains.map((domain) =>
      drawWindows(domain, "train", Math.round((calibrationWindows * mixture[domain]) / parts), draw, tokenizer)
    );
    const calibrate = (share: number) =>
      profileStage({ model: opened.model, original: opened.model, opened, steps: [] }, {
        data: batches(windows.flatMap((rows) => rows.slice(0, Math.ceil(share * rows.length)))),
        seed: draw,
      });
    const bed = new Bed(group, tasks, draw, tokenizer, opened.model);
    return { bed, profiled: await calibrate(1), few: await calibrate(naeeWindows / windows.flat().length) };
  }

  return {
    model: { id: opened.model.id, fingerprint: await opened.model.weights.fingerprint() },
    seed: draw,
    options: { pretraining_seed: seed },
    dispose: () => opened.model.dispose(),

    async run({ group, arm, keep }) {
      if (!prepared.has(group)) prepared.set(group, of(group));
      const { bed, profiled, few } = await prepared.get(group)!;
      const started = performance.now();
      const model = arm.dense
        ? (await trained("dense", seed)).model
        : await changed(arm.few ? few : profiled, arm, keep, draw);
      const { parameters, sizeBytes, flopsPerToken } = cost(model.spec);
      const scores = await bed.score(model);
      const names = namesOf(group);
      const seconds = Number(((performance.now() - started) / 1000 / names.length).toFixed(3));
      if (model !== opened.model) await model.dispose();
      return names.map((task) => ({ ...scores.get(task)!, task: `${task} ${arm.name} ${keep}`,
        config: { task, arm: arm.name, keep, stage: "changed", ...arm.change, parameters: parameters.total,
          experts: parameters.experts, bytes_float16: sizeBytes.float16, flops_per_token: flopsPerToken, seconds } })
      );
    },
  };
}
async function changed(profiled: StudyState, { change, compressed }: Arm, keep: number, draw: number): Promise<Model> {
  const seeded = change && (change.method === "averaging" || change.similarity === "random");
  const merged = change
    ? await changeStage(profiled, { ...change, keep, ...(seeded && { seed: draw }) }, undefined)
    : profiled;
  if (!compressed) return merged.model;
  const data = profiled.calibration!.batches;
  const measured = change ? await profileStage(merged, { data }) : merged;
  const rows = await importantRows(merged.model, data, compression);
  return (await changeStage(measured, { method: "low-rank-sparse", ...compression, rows }, "compress")).model;
}

/** The questions and test windows of a group, the same for all arms. */
class Bed {
  private readonly tasks: ZeroShotTask[];
  private readonly windows: { name: string; batches: TaskBatch[]; bytes: number }[];
  private readonly teacher: TeacherLogits;

  constructor(
    { domains, tasks }: Group,
    all: readonly ZeroShotTask[],
    draw: number,
    private readonly tokenizer: Tokenizer,
    full: Model,
  ) {
    this.tasks = tasks.map((name) => all.find((task) => task.name === name)!);
    this.windows = domains.map((domain) => {
      const rows = drawWindows(domain, "test", testWindows, draw, tokenizer);
      const bytes = rows.reduce(
        (sum, row) => sum + Buffer.byteLength(tokenizer.decode(row.slice(1), { skipSpecial: true })),
        0,
      );
      return { name: `text_${domain}`, batches: batches(rows), bytes };
    });
    this.teacher = new TeacherLogits(full);
  }

  /** acc and acc_norm of questions; KL from the full model, nats per token and byte perplexity of windows. */
  async score(model: Model): Promise<Map<string, TaskResult>> {
    const scores = new Map<string, TaskResult>();
    const asked = languageModel(model, this.tokenizer, { length: 160, batchSize: 64 });
    for (const task of this.tasks) scores.set(task.name, aggregate(task, await runTask(task, asked), new Rng(0)));
    for (const { name, batches, bytes } of this.windows) {
      const { kl, nll } = await scoreTask(model, batches, { teacher: this.teacher });
      const tokens = batches.reduce((sum, { labels }) => sum + labels.flat().length, 0);
      const result = taskResult(name, [kl!, nll]);
      result.metrics.push({ metric: "byte_perplexity", value: Math.exp((nll.value * tokens) / bytes) });
      scores.set(name, result);
    }
    return scores;
  }
}

function batches(rows: number[][]): TaskBatch[] {
  return Array.from({ length: Math.ceil(rows.length / 16) }, (_, at) => batchOf(rows.slice(16 * at, 16 * at + 16)));
}

/** Questions of similar length together, so that little padding is computed. */
function byLength(questions: readonly ChoiceQuestion[]): ChoiceQuestion[] {
  const size = ({ context, choices }: ChoiceQuestion): number =>
    context.length + Math.max(...choices.map(({ length }) => length));
  return [...questions].sort((a, b) => size(a) - size(b));
}

/** Every arm is asked the same texts: each is encoded once. */
function remembering(tokenizer: Tokenizer): Tokenizer {
  const known = new Map<string, number[]>();
  return {
    ...tokenizer,
    encode(text, options) {
      const key = `${options?.specialTokens ?? true} ${text}`;
      if (!known.has(key)) known.set(key, tokenizer.encode(text, options));
      return known.get(key)!;
    },
  };
}
