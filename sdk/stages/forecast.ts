import { cost, type Cost } from "../evaluate/index.js";
import { MoeError } from "../errors.js";
import { plannedSpec } from "../plan/planned-spec.js";
import { DISPLAY, type Displayable, type MimeBundle } from "../view/displayable.js";
import { table, type Table } from "../view/table.js";
import type { StudyState } from "./study.js";
import { inspect } from "node:util";

/** What a plan will do to size and compute, from the configuration alone; nothing is read or written. */
export class Forecast implements Displayable {
  constructor(readonly method: string, readonly before: Cost, readonly after: Cost) {}

  table(): Table {
    const rows = ([["before", this.before], ["after", this.after]] as const).map(([name, { parameters, active, sizeBytes, flopsPerToken }]) => ({
      model: name, parameters: parameters.total, experts: parameters.experts, active: active.total, size: sizeBytes.float16, flops: flopsPerToken,
    }));
    return table(rows, { title: `Forecast of ${this.method}`, columns: { model: "text", parameters: "count", experts: { title: "in experts", format: "count" }, active: { title: "active per token", format: "count" }, size: { title: "size in float16", format: "bytes" }, flops: { title: "FLOPs per token", format: "count" } } });
  }

  [DISPLAY](): MimeBundle | Promise<MimeBundle> {
    return this.table()[DISPLAY]();
  }

  [inspect.custom](): string {
    return this.table().toText();
  }
}

/** Forecasts the plan of a study before it is carried out. */
export function forecastStage(study: StudyState): Forecast {
  if (!study.plan) throw new MoeError("wrong-order", "forecast: there is no plan yet. Call .plan({ method }) before.");
  return new Forecast(study.plan.method, cost(study.model.spec), cost(plannedSpec(study.model.spec, study.plan)));
}
