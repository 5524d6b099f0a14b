import type { FusedOps } from "../../fused.js";
import { withGradient } from "../../ops/with-gradient.js";
import type { TorchBackend } from "../backend.js";

/** The gradient of each value goes to the place it came from. */
export function topK(torch: TorchBackend): FusedOps["topK"] {
  const { native } = torch;
  return (x, k) => {
    const shape = [...x.shape.slice(0, -1), k];
    const [top, places] = native.topk(torch.handle(x), k);
    const indices = torch.tensor(places, shape, "int32");
    const values = withGradient([x], (save) => {
      save([indices]);
      return {
        value: torch.tensor(top, shape),
        gradient: (dy, saved) =>
          torch.tensor(native.topkGrad(torch.handle(dy), torch.handle(saved[0]), x.shape[x.rank - 1]!), x.shape),
      };
    });
    return { values, indices };
  };
}
