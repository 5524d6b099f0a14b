import type { StepReport } from "../../../sdk/train/train.js";

/** Prints every hundredth step with the mean loss and the speed since the last. */
export function reporter(name: string): (report: StepReport) => void {
  let started = performance.now();
  let [tokens, loss, count] = [0, 0, 0];
  return (report) => {
    [tokens, loss, count] = [tokens + report.tokens, loss + report.loss, count + 1];
    if (report.step % 100 && report.step !== report.steps) return;
    const seconds = (performance.now() - started) / 1000;
    console.log(
      `${name}: step ${report.step} of ${report.steps}, loss ${(loss / count).toFixed(4)}, `
        + `${Math.round(tokens / seconds)} tokens/s`,
    );
    [started, tokens, loss, count] = [performance.now(), 0, 0, 0];
  };
}
