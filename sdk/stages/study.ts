import { MoeError } from "../errors.js";
import type { Model } from "../model/model.js";
import { saveProfile } from "../profile/profile-file.js";
import type { Profile } from "../profile/profile.js";
import { DISPLAY, Displayed, type MimeBundle } from "../view/displayable.js";
import type { Evaluation } from "./evaluation.js";
import { StudyPlan } from "./study-plan.js";
import type { Step, StudyState } from "./study-state.js";
import { studyView } from "./study-view.js";

/**
 * A model with everything that was measured about it and done to it. As the last value of a cell it draws itself:
 * before and after with standard errors, and a chart.
 */
export class Study extends Displayed {
  readonly model: Model;
  readonly original: Model;
  readonly profile?: Profile;
  /** the plan that comes next or that was carried out last: drawn, compared with `diff`, saved */
  readonly plan?: StudyPlan;
  readonly evaluation?: Evaluation;
  readonly warnings: readonly string[];
  readonly steps: readonly Step[];

  constructor(readonly state: Readonly<StudyState>) {
    super();
    ({ model: this.model, original: this.original, profile: this.profile, evaluation: this.evaluation,
      steps: this.steps } = state);
    this.plan = state.plan && new StudyPlan(state.plan, state.profile);
    this.warnings = state.warnings ?? [];
    Object.freeze(this);
  }

  /**
   * Writes the profile as JSON; `moe.loadProfile` reads it, `.profile({ from })` goes on from it.
   *
   * @throws MoeError `wrong-order` before anything was measured
   */
  async saveProfile(path: string): Promise<void> {
    if (!this.profile)
      throw new MoeError("wrong-order",
        `profile: nothing was measured about ${this.model.id} yet. Call .profile() before.`);
    await saveProfile(path, this.profile);
  }

  [DISPLAY](): Promise<MimeBundle> {
    return studyView(this.state).then((view) => view.bundle);
  }

  /** The same table as text: what a terminal shows, and what String(study) is. */
  toText(): string {
    return studyView.text(this.state);
  }
}
