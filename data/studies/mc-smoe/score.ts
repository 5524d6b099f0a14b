import { type Score, scoreGeneration, scoreTask, type TaskBatch, TeacherLogits } from "../../../sdk/evaluate/index.js";
import type { Model } from "../../../sdk/model/model.js";
import { type EncodedItems, toBatch } from "../../../sdk/text/task-batch.js";
import { testItems } from "./recipe.js";

/** The test items of one teacher, in batches that all arms share. */
export class Bed {
  readonly batches: TaskBatch[];
  private readonly written: { prompt: number[]; answer: number[] }[];
  private readonly teacher: TeacherLogits;

  constructor(items: EncodedItems, teacher: Model) {
    const order = items.ids.slice(0, testItems.scored).map((_, row) => row).sort((a, b) =>
      items.ids[a].length + items.answers[a].length - items.ids[b].length - items.answers[b].length
    );
    this.batches = Array.from({ length: Math.ceil(order.length / 100) },
      (_, at) => toBatch(items, order.slice(100 * at, 100 * at + 100)));
    this.written = items.ids.slice(0, testItems.written).map((prompt, row) => ({ prompt,
      answer: items.answers[row].slice(0, -1) })
    );
    this.teacher = new TeacherLogits(teacher);
  }

  /**
   * Exact match, token accuracy, nats per token, KL from the teacher; with `write`, the error rate of what is written
   * freely.
   */
  async score(model: Model, write: boolean): Promise<Score[]> {
    const { exact_match, token_accuracy, nll, kl } = await scoreTask(model, this.batches, { teacher: this.teacher });
    if (!write) return [exact_match, token_accuracy, nll, kl!];
    const most = Math.max(...this.written.map(({ answer }) => answer.length)) + 4;
    const { symbol_error_rate } = await scoreGeneration((prompt) => model.generate(prompt, { maxTokens: most }),
      this.written, { stop: [1], batchSize: 100 });
    return [exact_match, token_accuracy, nll, kl!, symbol_error_rate];
  }
}
