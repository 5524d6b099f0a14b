import { MoeError } from "../errors.js";
import { render } from "./jinja/render.js";

export interface ChatMessage {
  role: string;
  content: unknown;
  [field: string]: unknown;
}

export interface ChatOptions {
  /** the start of the assistant's answer is appended; true unless told */
  addGenerationPrompt?: boolean;
  /** passed on to the template, e.g. `tools`, `enable_thinking` */
  variables?: Record<string, unknown>;
}

/** An error says as much of what the template says. */
const MAX_SAID = 500;

/**
 * Renders a conversation with a model's Jinja template, with the names that transformers gives to templates, such as
 * `raise_exception` and `strftime_now`.
 *
 * @param special the special tokens by their key, e.g. { bos_token: "<s>" }
 * @throws MoeError `chat-template` if the template has an error, takes too long or refuses the conversation
 * @example renderChat("{{ messages[0].content }}{{ eos_token }}", { eos_token: "</s>" }, [{ role: "user", content: "Hi"
 *   }])  // "Hi</s>"
 */
export function renderChat(
  template: string,
  special: Readonly<Record<string, string>>,
  messages: readonly ChatMessage[],
  { addGenerationPrompt = true, variables = {} }: ChatOptions = {},
): string {
  try {
    return render(template, { ...special, tools: null, documents: null, ...variables, messages,
      add_generation_prompt: addGenerationPrompt });
  } catch (cause) {
    throw new MoeError("chat-template",
      `chat: ${(cause as Error).message.slice(0, MAX_SAID)}, while rendering ${messages.length} messages; accepted is `
        + "what the model's template takes. Check the roles and their order.", { cause });
  }
}
