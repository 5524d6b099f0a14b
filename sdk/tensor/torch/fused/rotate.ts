import type { FusedOps } from "../../fused.js";
import { withGradient } from "../../ops/with-gradient.js";
import type { TorchBackend } from "../backend.js";

/** One pass over the heads as they lie in memory; its gradient turns the other way. */
export function rotate(torch: TorchBackend): FusedOps["rotate"] {
  const { native } = torch;
  return (x, cos, sin, interleaved) =>
    withGradient([x], (save) => {
      save([cos, sin]);
      return {
        value: torch.tensor(native.rotate(torch.handle(x), torch.handle(cos), torch.handle(sin), interleaved, false),
          x.shape),
        gradient: (dy, [cos, sin]) =>
          torch.tensor(native.rotate(torch.handle(dy), torch.handle(cos), torch.handle(sin), interleaved, true),
            x.shape),
      };
    });
}
