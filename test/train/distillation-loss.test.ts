import { test } from "uvu";
import { ready, tf } from "../../sdk/tensor/index.js";
import { distillationLoss } from "../../sdk/train/distillation-loss.js";
import { close } from "../support/close.js";

// Against torch.nn.functional.kl_div(log_softmax(student / T), softmax(teacher / T)) of PyTorch 2.15.0: 2 sequences of
// 3
// positions. "paper" is its reduction "batchmean", which divides by the sequences alone.
await ready();
const student = [[0.5, -1, 2, 0], [1, 1, -2, 0.25], [0, 3, -0.5, 1.5], [-1, 0.5, 0.75, 2], [2, -2, 0, 1], [0.1, 0.2,
  0.3, 0.4]];
const teacher = [[1, -0.5, 1, 0.5], [0, 2, -1, 0.5], [0.5, 2.5, 0, 1], [-0.5, 0, 1.5, 1], [1, -1, 0.5, 0.5], [0.4, 0.3,
  0.2, 0.1]];
const all = [1, 1, 1, 1, 1, 1], withoutThird = [1, 1, 0, 1, 1, 1];

async function lossAndGradient(counts: number[], options?: Parameters<typeof distillationLoss>[4]) {
  const [loss, gradient] = tf.tidy(() => {
    const { value, grad } = tf.valueAndGrad((x) =>
      distillationLoss(x, tf.tensor2d(teacher), tf.tensor1d(counts), 2, options).asScalar()
    )(tf.tensor2d(student));
    return [value, grad];
  });
  const found = { loss: (await loss.data())[0], gradient: (await gradient.data()) as Float32Array };
  tf.dispose([loss, gradient]);
  return found;
}

test(
  "the paper's: divided by the sequences alone, without the square of the temperature; every position "
    + "counts where it is told to",
  async () => {
    const { loss, gradient } = await lossAndGradient(all);
    close([loss], [0.1573167], 1e-6, "loss");
    close(gradient.subarray(0, 4), [-0.0196632, -0.0092882, 0.0442652, -0.0153137], 1e-6, "gradient");
    close([(await lossAndGradient(all, { temperature: 3 })).loss], [0.0710066], 1e-6, "temperature 3");
  },
);

test("the textbook's: the mean over positions that count, times the square of the temperature", async () => {
  const { loss, gradient } = await lossAndGradient(withoutThird, { convention: "textbook" });
  close([loss], [0.2318674], 1e-6, "loss");
  close(gradient.subarray(0, 4), [-0.0314612, -0.0148612, 0.0708243, -0.024502], 1e-6, "gradient");
  close(gradient.subarray(8, 12), [0, 0, 0, 0], 0, "gradient of what does not count");
});

test.run();
