import type { Tensor } from "@tensorflow/tfjs-core";
import type { FusedOps } from "../../fused.js";
import { withGradient } from "../../ops/with-gradient.js";
import type { TorchBackend } from "../backend.js";
import { activations, type Handle, NONE } from "../native.js";

/** Tokens sorted by expert, one product per expert on adjoining rows; nothing is read back to JavaScript. */
export function experts(torch: TorchBackend): FusedOps["experts"] {
  const { native } = torch;
  return (x, choice, gates, bank) => {
    const { up, down, gate, upBias, gateBias, downBias } = bank;
    const weights = [up, down, gate, upBias, gateBias, downBias];
    const present = weights.filter((w): w is Tensor => w !== undefined);
    const activation = activations[bank.activation];
    const bankHandles = (given: Tensor[]): Handle[] => {
      let next = 0;
      return weights.map((w) => (w ? torch.handle(given[next++]) : NONE));
    };
    return withGradient([x, gates, ...present], (save) => {
      const [y, ...kept] = native.experts(torch.handle(x), torch.handle(choice), torch.handle(gates), activation,
        ...bankHandles(present));
      // the last three are the order of the tokens
      const forGradient = kept.map((handle, i) =>
        torch.tensor(handle, native.shape(handle), i < kept.length - 3 ? "float32" : "int32")
      );
      save([gates, ...present, ...forGradient]);
      return {
        value: torch.tensor(y, x.shape),
        gradient: (dy, saved) => {
          const [savedGates, ...rest] = saved;
          const handles = native.expertsGrad(torch.handle(dy), torch.handle(savedGates), activation,
            ...bankHandles(rest.slice(0, present.length)), ...rest.slice(present.length).map((t) => torch.handle(t)));
          return handles.map((handle, i) => torch.tensor(handle, [x, gates, ...present][i].shape));
        },
      };
    });
  };
}
