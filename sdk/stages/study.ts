import { inspect } from "node:util";
import type { Model } from "../model/model.js";
import type { Profile } from "../profile/profile.js";
import { DISPLAY, type Displayable, type MimeBundle } from "../view/displayable.js";
import type { Evaluation } from "./evaluation.js";
import { StudyPlan } from "./study-plan.js";
import type { Step, StudyState } from "./study-state.js";
import { studyView } from "./study-view.js";

/**
 * A model with everything that was measured about it and done to it. As the last value of a cell it draws itself:
 * before and after with standard errors, and a chart.
 */
export class Study implements Displayable {
  readonly model: Model;
  readonly original: Model;
  readonly profile?: Profile;
  /** the plan that comes next or that was carried out last: drawn, compared with `diff`, saved */
  readonly plan?: StudyPlan;
  readonly evaluation?: Evaluation;
  readonly warnings: readonly string[];
  readonly steps: readonly Step[];

  constructor(readonly state: Readonly<StudyState>) {
    ({ model: this.model, original: this.original, profile: this.profile, evaluation: this.evaluation,
      steps: this.steps } = state);
    this.plan = state.plan && new StudyPlan(state.plan, state.profile);
    this.warnings = state.warnings ?? [];
    Object.freeze(this);
  }

  [DISPLAY](): Promise<MimeBundle> {
    return studyView(this.state).then((view) => view.bundle);
  }

  /** In a terminal the same table as text. */
  [inspect.custom](): string {
    return studyView.text(this.state);
  }
}
