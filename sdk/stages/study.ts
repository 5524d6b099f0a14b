import { MoeError } from "../errors.js";
import type { Model } from "../model/model.js";
import { saveProfile } from "../profile/profile-file.js";
import type { Profile } from "../profile/profile.js";
import { DISPLAY, Displayed, type MimeBundle } from "../view/displayable.js";
import { Chat } from "./chat.js";
import type { Evaluation } from "./evaluation.js";
import { generateStage, type GenerateTextOptions, type Prompt } from "./generate.js";
import type { Generation } from "./generation.js";
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
   * Writes the profile as JSON, and statistics as large as weights beside it as .safetensors; `moe.loadProfile` reads
   * it, `.profile({ from: path })` goes on from both.
   *
   * @throws MoeError `wrong-order` before anything was measured
   */
  async saveProfile(path: string): Promise<void> {
    if (!this.profile)
      throw new MoeError("wrong-order",
        `profile: nothing was measured about ${this.model.id} yet. Call .profile() before.`);
    await saveProfile(path, this.profile, this.state.tensors);
  }

  /**
   * Continues text, several texts or a conversation; in a notebook it is written while it comes.
   * @example const { text } = await study.generate("Call me", { temperature: 0.8, topP: 0.95, seed: 1 });
   */
  generate(prompt: Prompt, options?: GenerateTextOptions): Promise<Generation> {
    return generateStage(this.state, prompt, options);
  }

  /** Begins a conversation through the model's chat template; the options hold for every turn. */
  chat(options: GenerateTextOptions & { system?: string } = {}): Chat {
    return new Chat(this.state, options);
  }

  [DISPLAY](): Promise<MimeBundle> {
    return studyView(this.state).then((view) => view.bundle);
  }

  /** The same table as text: what a terminal shows, and what String(study) is. */
  toText(): string {
    return studyView.text(this.state);
  }
}
