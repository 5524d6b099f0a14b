import type { ChatMessage } from "../text/chat-template.js";
import { generateStage, type GenerateTextOptions } from "./generate.js";
import type { Generation } from "./generation.js";
import type { StudyState } from "./study-state.js";

/** A conversation that goes on: what was said and answered is given to the model with each turn. */
export class Chat {
  readonly messages: ChatMessage[] = [];

  /** @param system how the model should answer; templates without a system role refuse it */
  constructor(private readonly study: StudyState, { system, ...options }: GenerateTextOptions & { system?: string }) {
    this.options = options;
    if (system !== undefined) this.messages.push({ role: "system", content: system });
  }
  private readonly options: GenerateTextOptions;

  /**
   * One turn. A turn that fails or is stopped leaves the conversation as it was.
   * @example const chat = study.chat({ topP: 0.9, seed: 1 }); await chat.say("What is an expert?");
   */
  async say(content: string, options: GenerateTextOptions = {}): Promise<Generation> {
    const asked = [...this.messages, { role: "user", content }];
    const answer = await generateStage(this.study, asked, { ...this.options, ...options });
    this.messages.splice(0, Infinity, ...answer.messages);
    return answer;
  }
}
