import * as tf from "@tensorflow/tfjs-core";
import type { NamedTensorMap, Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { FusedOps } from "../../fused.js";
import type { TorchBackend } from "../backend.js";
import { type Handle, NONE } from "../native.js";

type Inputs = { q: TensorInfo; k: TensorInfo; v: TensorInfo; mask?: TensorInfo };
type Attrs = { scale: number; causal: boolean };

const PLAIN = "TorchAttention";
const MASKED = "TorchMaskedAttention";

/**
 * Attention without its [T, S] scores in memory. It is a kernel with a registered gradient, not a custom gradient,
 * because TensorFlow.js asks those input by input: the mask's gradient, which needs the scores, is computed for
 * learned masks (relative position biases) alone.
 */
export function attention(torch: TorchBackend): FusedOps["attention"] {
  const { native } = torch;
  const args = (
    { q, k, v, mask }: Inputs,
    { scale, causal }: Attrs,
  ): [Handle, Handle, Handle, number, boolean, Handle] => [torch.handle(q), torch.handle(k), torch.handle(v), scale,
    causal, mask ? torch.handle(mask) : NONE];

  for (const [kernelName, inputsToSave] of [[PLAIN, ["q", "k", "v"]], [MASKED, ["q", "k", "v", "mask"]]] as const) {
    if (tf.getKernel(kernelName, "torch")) continue;
    tf.registerKernel({
      kernelName,
      backendName: "torch",
      kernelFunc: ({ inputs, attrs }) => {
        const { q, v } = inputs as Inputs;
        const [y, logSumExp] = native.attention(...args(inputs as Inputs, attrs as unknown as Attrs));
        const queries = q.shape.slice(0, 3);
        return [torch.output(y, [...queries, v.shape[3]], "float32"), torch.output(logSumExp, queries, "float32")];
      },
    });
    tf.registerGradient({
      kernelName,
      inputsToSave: [...inputsToSave],
      outputsToSave: [true, true],
      gradFunc: (dys, saved, attrs) => {
        const [q, k, v, ...rest] = saved;
        const [y, logSumExp] = rest.slice(-2);
        const inputs: Inputs = { q, k, v, mask: rest.length === 3 ? rest[0] : undefined };
        const dy = (dys as Tensor[])[0];
        const all = () =>
          native.attentionGrad(...args(inputs, attrs as unknown as Attrs), torch.handle(dy), torch.handle(y),
            torch.handle(logSumExp));
        const [dq, dk, dv] = all().map((handle, i) => torch.tensor(handle, [q, k, v][i].shape));
        return {
          q: () => dq,
          k: () => dk,
          v: () => dv,
          mask: () =>
            torch.tensor(
              native.attentionMaskGrad(...args(inputs, attrs as unknown as Attrs), torch.handle(dy), torch.handle(y),
                torch.handle(logSumExp)),
              inputs.mask!.shape,
            ),
        };
      },
    });
  }

  return (q, k, v, { scale, causal, mask }) => {
    const inputs: NamedTensorMap = mask ? { q, k, v, mask } : { q, k, v };
    const [y, logSumExp] = tf.engine().runKernel(mask ? MASKED : PLAIN, inputs, { scale,
      causal }) as unknown as Tensor[];
    logSumExp.dispose();
    return y;
  };
}
