import type { LayerId } from "../model/spec.js";
import { diffPlans, type PlanDifference } from "../plan/diff.js";
import { savePlan } from "../plan/plan-file.js";
import type { LayerPlan, Plan } from "../plan/plan.js";
import type { Profile } from "../profile/profile.js";
import { DISPLAY, type MimeBundle } from "../view/displayable.js";
import { charts, type Table, table } from "../view/index.js";
import { Tabular } from "../view/tabular.js";

/**
 * A plan as a study shows it: the plain data of `Plan`, which can also be drawn, compared and saved.
 *
 * @example
 * study.plan.diff(other.plan)     // in which layers they differ, and which experts keep other company
 * await study.plan.save("a.json") // moe.loadPlan("a.json") reads it again
 */
export class StudyPlan extends Tabular implements Plan {
  readonly version: Plan["version"];
  readonly for: string;
  readonly method: string;
  readonly paper?: string;
  readonly options: Record<string, unknown>;
  readonly layers: Record<LayerId, LayerPlan>;
  // declared alone: a field that is undefined would be a key of the plan
  declare readonly sources?: Plan["sources"];
  declare readonly units?: Plan["units"];
  declare readonly weights?: Plan["weights"];
  readonly #profile?: Profile;

  constructor(plan: Plan, profile?: Profile) {
    super();
    ({ version: this.version, for: this.for, method: this.method, options: this.options, layers: this.layers } = plan);
    const { paper, sources, units, weights } = plan;
    Object.assign(this, { ...(paper !== undefined && { paper }), ...(sources && { sources }), ...(units && { units }),
      ...(weights && { weights }) });
    this.#profile = profile?.model.fingerprint === plan.for ? profile : undefined;
  }

  /** Where two plans for one model differ. */
  diff(other: Plan): PlanDiff {
    return new PlanDiff(this.method, other.method, diffPlans(this, other));
  }

  /** Writes the plan as JSON. */
  save(path: string): Promise<void> {
    return savePlan(path, this);
  }

  /** What becomes of each layer; of a plan that changes weights alone, what becomes of these. */
  table(): Table {
    if (this.weights && Object.keys(this.layers).length === 0) return this.weightTable(this.weights);
    const rows = Object.entries(this.layers).map(([layer, { slots, expertOf, router, drop }]) => ({
      layer,
      stored: slots?.length,
      merged: slots?.filter(({ from }) => from.length > 1).length,
      form: [...new Set(slots?.map(({ form }) => form?.form ?? "as before"))].join(", "),
      "without an expert": expertOf?.filter((slot) => slot < 0).length,
      masked: router?.mask?.length,
      drop: drop ?? "",
    }));
    return table(rows, { title: `Plan of ${this.method}, ${rows.length} layers` });
  }

  private weightTable(weights: NonNullable<Plan["weights"]>): Table {
    const rows = new Map<string, { weights: string; by: string; stored: string; count: number }>();
    for (const [name, { fit, format }] of Object.entries(weights)) {
      const kind = name.replace(/\.\d+\./g, ".*.");
      const by = fit?.by ?? (format ? "nearest" : "sum");
      const stored = !format
        ? "as before"
        : format.kind === "grouped"
        ? `${format.bits} bits${format.group ? ` by ${format.group}` : ""}`
        : format.kind === "sparse" && format.of
        ? format.of.join(" of ")
        : format.kind;
      const row = { weights: kind, by, stored, count: 0 };
      const key = JSON.stringify(row);
      rows.set(key, { ...row, count: (rows.get(key)?.count ?? 0) + 1 });
    }
    return table([...rows.values()], { title: `Plan of ${this.method}, ${Object.keys(weights).length} weights` });
  }

  override async [DISPLAY](): Promise<MimeBundle> {
    if (Object.values(this.layers).some(({ slots }) => slots))
      return charts.grouping(this, { profile: this.#profile })[DISPLAY]();
    return super[DISPLAY]();
  }
}

/** The layers in which two plans differ, as a table. */
export class PlanDiff extends Tabular {
  constructor(readonly first: string, readonly second: string, readonly differences: readonly PlanDifference[]) {
    super();
  }

  table(): Table {
    const rows = this.differences.map(({ layer, fields, regrouped, slots }) => ({ layer, differs: fields.join(", "),
      "stored in the first": slots[0], "stored in the second": slots[1],
      "experts in other company": regrouped.join(", ") })
    );
    return table(rows, {
      title: `${this.first} and ${this.second}: `
        + `${rows.length === 0 ? "no layer differs" : `${rows.length} layers differ`}`,
    });
  }
}
