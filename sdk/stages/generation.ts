import { formatBytes, formatCount, formatDuration } from "../format.js";
import type { ChatMessage } from "../text/chat-template.js";
import { DISPLAY, Displayed, kernelHost, type MimeBundle } from "../view/displayable.js";
import { html } from "../view/html.js";
import { TEXT_STYLE } from "../view/live-text.js";

/** What was written after one prompt. */
export interface Answer {
  prompt: string | readonly ChatMessage[];
  promptTokens: number;
  /** the added tokens, the end token included */
  ids: readonly number[];
  /** without special tokens, and up to a stop text */
  text: string;
  /** "stop": at an end token or stop text; "length": after `maxTokens` */
  ended: "stop" | "length";
}

/** What a model wrote, how fast, and with how much memory. */
export class Generation extends Displayed {
  /** the first answer */
  readonly text: string;
  /** tokens that were added, of all answers */
  readonly tokens: number;
  /** prompt and first token, in milliseconds */
  readonly firstTokenMs: number;
  /** of all answers, after the first token of each; NaN for one token alone */
  readonly tokensPerSecond: number;
  /** most bytes of tensors at a time, the model included; absent where the back end does not count them */
  readonly peakBytes?: number;
  readonly #cell?: AbortSignal;

  /** @param cell the cell that has shown the text already */
  constructor(
    readonly model: string,
    readonly answers: readonly Answer[],
    { timeMs, firstMs, peakBytes }: { timeMs: number; firstMs: number; peakBytes?: number },
    cell?: AbortSignal,
  ) {
    super();
    this.text = answers[0].text;
    this.tokens = answers.reduce((sum, { ids }) => sum + ids.length, 0);
    this.firstTokenMs = firstMs;
    const after = this.tokens - answers.length;
    this.tokensPerSecond = after > 0 ? (after / (timeMs - firstMs)) * 1000 : NaN;
    if (peakBytes !== undefined) this.peakBytes = peakBytes;
    this.#cell = cell;
  }

  /** The conversation with the answer at its end, for the next turn: `study.generate([...g.messages, { … }])`. */
  get messages(): ChatMessage[] {
    const [{ prompt, text }] = this.answers;
    const before = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
    return [...before, { role: "assistant", content: text }];
  }

  /** @example "64 tokens in 1.2 s: first after 210 ms, then 61 tokens/s; 420 MB at most" */
  private get speed(): string {
    const rate = Number.isNaN(this.tokensPerSecond) ? "" : `, then ${formatCount(this.tokensPerSecond)} tokens/s`;
    const memory = this.peakBytes === undefined ? "" : `; ${formatBytes(this.peakBytes)} at most`;
    return `${formatCount(this.tokens)} tokens: first after ${formatDuration(this.firstTokenMs)}${rate}${memory}`;
  }

  [DISPLAY](): MimeBundle {
    const shown = this.#cell !== undefined && kernelHost()?.signal === this.#cell;
    const texts = shown ? [] : this.answers.map(({ text }) => html`<div style="${TEXT_STYLE}">${text}</div>`);
    return {
      data: { "text/html": String(html`${texts}<div style="opacity: 0.7">${this.speed}</div>`),
        "text/plain": shown ? this.speed : this.toText() },
    };
  }

  toText(): string {
    return [...this.answers.map(({ text }) => text), this.speed].join("\n");
  }
}
