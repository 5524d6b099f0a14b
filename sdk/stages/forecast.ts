import { MoeError } from "../errors.js";
import type { Cost } from "../evaluate/index.js";
import { applySpeeds } from "../plan/apply-speeds.js";
import { type Forecast as Numbers, forecast } from "../plan/forecast.js";
import { timeApply } from "../plan/time-apply.js";
import { type Table, table } from "../view/table.js";
import { Tabular } from "../view/tabular.js";
import type { StudyState } from "./study-state.js";

/** What a plan will do to size and compute, and what carrying it out will take. */
export class Forecast extends Tabular {
  readonly before: Cost;
  readonly after: Cost;
  /** of all weights as they are stored */
  readonly sizeBytes: { before: number; after: number };
  /** most bytes that carrying out holds at once, beyond the model */
  readonly peakBytes: number;
  /** of making all weights, on this machine */
  readonly applyMs: number;

  constructor(readonly method: string, { before, after, sizeBytes, peakBytes, applyMs }: Numbers) {
    super();
    [this.before, this.after, this.sizeBytes, this.peakBytes, this.applyMs] = [before, after, sizeBytes, peakBytes,
      applyMs];
  }

  table(): Table {
    const rows =
      ([["before", this.before, this.sizeBytes.before], ["after", this.after, this.sizeBytes.after]] as const).map(
        ([name, { parameters, active, flopsPerToken }, size]) => ({
          model: name,
          parameters: parameters.total,
          experts: parameters.experts,
          active: active.total,
          size,
          flops: flopsPerToken,
          ...(name === "after" ? { time: this.applyMs, peak: this.peakBytes } : { time: undefined, peak: undefined }),
        })
      );
    return table(rows, {
      title: `Forecast of ${this.method}`,
      columns: {
        model: "text",
        parameters: "count",
        experts: { title: "in experts", format: "count" },
        active: { title: "active per token", format: "count" },
        size: { title: "size as stored", format: "bytes" },
        flops: { title: "FLOPs per token", format: "count" },
        time: { title: "time to make", format: "duration" },
        peak: { title: "memory to make", format: "bytes" },
      },
    });
  }
}

/**
 * Forecasts the plan of a study before it is carried out; for the time, some of the new experts are made for a trial.
 */
export async function forecastStage(study: StudyState): Promise<Forecast> {
  if (!study.plan) throw new MoeError("wrong-order", "forecast: there is no plan yet. Call .plan({ method }) before.");
  const { model: { spec, weights }, plan, tensors, sources = {} } = study;
  const speeds = await applySpeeds();
  const counted = forecast(spec, plan, { weights, speeds,
    sources: Object.fromEntries(Object.entries(sources).map(([name, { spec }]) => [name, spec])) });
  return new Forecast(plan.method, { ...counted,
    applyMs: await timeApply({ spec, weights }, plan, speeds, { tensors, sources }) });
}
