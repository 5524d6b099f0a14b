import { createHash } from "node:crypto";
import * as v from "valibot";
import { CandidateScores } from "../evaluate/candidate-scores.js";
import { StateFolder } from "../files/state-folder.js";
import type { Lab } from "../method/lab.js";
import { Model } from "../model/model.js";
import { applyPlan } from "../plan/apply.js";
import { type Progress, progress } from "../view/progress.js";
import { observe } from "./observe.js";
import type { StudyState } from "./study-state.js";

const Scores = v.record(v.string(), v.nullable(v.number()));
/** Scores of the last moments are what a killed search pays again. */
const SAVE_MS = 2000;

export interface LabOptions {
  signal?: AbortSignal;
  /** keeps the scores that were paid for in this folder, so that a search that was cut off goes on where it was */
  state?: string;
  /** what asks, and with which options */
  method: string;
  options: Record<string, unknown>;
}

/** The lab of a study: its model, on the data that it was profiled on. Nothing is made before it is asked for. */
export class StudyLab implements Lab {
  private scores?: CandidateScores;
  private bar?: Progress;
  private shown = 0;
  private kept?: Promise<StateFolder<v.InferOutput<typeof Scores>>>;
  private paid = new Map<string, number>();
  private savedMs = performance.now();

  constructor(private readonly study: StudyState, private readonly about: LabOptions) {}

  get spec() {
    return this.study.model.spec;
  }
  get tokens() {
    return this.candidates().tokens;
  }
  get signal() {
    return this.about.signal;
  }

  sweep: Lab["sweep"] = async (changes, observers) => {
    const { model, calibration, tensors } = this.study;
    if (Object.keys(changes.layers).length === 0 && !changes.weights && !changes.units)
      return observe(model, calibration!, observers, this.signal);
    const { spec, weights } = await applyPlan(model, { version: 2, for: await model.weights.fingerprint(),
      method: this.about.method, options: {}, ...changes }, { tensors });
    const changed = new Model(model.id, spec, weights, model);
    try {
      await observe(changed, calibration!, observers, this.signal);
    } finally {
      await changed.dispose();
    }
  };

  sample: Lab["sample"] = (tokens, draws) => this.candidates().sample(tokens, draws);

  score: Lab["score"] = async (changes, on, metric) => {
    const folder = await this.folder();
    const key = createHash("sha256").update(JSON.stringify([changes, on, metric])).digest("hex").slice(0, 32);
    const known = this.paid.get(key);
    if (known !== undefined) return known;
    const score = await this.candidates().score(changes, on, metric);
    this.paid.set(key, score);
    if (folder && performance.now() - this.savedMs > SAVE_MS) await this.save();
    return score;
  };

  progress: Lab["progress"] = (done, of, note) => {
    this.bar ??= progress({ label: this.about.method, total: of, unit: "generations", signal: this.signal });
    this.bar.advance(done - this.shown, note);
    this.shown = done;
  };

  /** Gives everything back. @param error why the method stopped */
  async close(error?: unknown): Promise<void> {
    if (error) this.bar?.fail(error);
    else this.bar?.done();
    await this.scores?.dispose();
    if (!this.kept) return;
    const folder = await this.kept.catch(() => undefined);
    if (folder && this.paid.size > 0) await this.save();
    await folder?.close();
  }

  private candidates(): CandidateScores {
    const { model, calibration, tensors } = this.study;
    return (this.scores ??= new CandidateScores(model, calibration!.batches, { tensors, signal: this.signal }));
  }

  private async folder() {
    const { state, method, options } = this.about;
    if (state === undefined) return undefined;
    if (!this.kept) {
      this.kept = (async () => {
        const { model, calibration } = this.study;
        const key = { model: await model.weights.fingerprint(), data: calibration!.fingerprint, method, options };
        const folder = await StateFolder.open(state, { verb: "search", kind: "search", key, schema: Scores });
        this.paid = new Map(Object.entries(folder.data ?? {}).map(([key, score]) => [key, score ?? Infinity]));
        return folder;
      })();
    }
    return this.kept;
  }

  private async save(): Promise<void> {
    const scores = Object.fromEntries(
      [...this.paid].map(([key, score]) => [key, Number.isFinite(score) ? score : null]),
    );
    await (await this.kept!).replace(scores, {});
    this.savedMs = performance.now();
  }
}
