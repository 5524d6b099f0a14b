import type { FusedOps } from "../../fused.js";
import { withGradient } from "../../ops/with-gradient.js";
import type { TorchBackend } from "../backend.js";

/** Keeps the log-sum-exp of each row instead of all probabilities. */
export function crossEntropy(torch: TorchBackend): FusedOps["crossEntropy"] {
  const { native } = torch;
  return (logits, labels) =>
    withGradient([logits], (save) => {
      const [loss, logSumExp] = native.crossEntropy(torch.handle(logits), torch.handle(labels));
      save([logits, labels, torch.tensor(logSumExp, labels.shape)]);
      return {
        value: torch.tensor(loss, labels.shape),
        gradient: (dy, saved) => {
          const [x, ids, sums] = saved.map((t) => torch.handle(t));
          return torch.tensor(native.crossEntropyGrad(torch.handle(dy), x, ids, sums), logits.shape);
        },
      };
    });
}
