import type { FusedOps } from "../../fused.js";
import { withGradient } from "../../ops/with-gradient.js";
import type { TorchBackend } from "../backend.js";

/** One pass over x forwards, one backwards; 1 / rms of each row is kept for it. */
export function rmsNorm(torch: TorchBackend): FusedOps["rmsNorm"] {
  const { native } = torch;
  return (x, gain, eps) =>
    withGradient([x, gain], (save) => {
      const [y, inverse] = native.rmsNorm(torch.handle(x), torch.handle(gain), eps);
      save([x, gain, torch.tensor(inverse, [x.size / gain.size])]);
      return {
        value: torch.tensor(y, x.shape),
        gradient: (dy, saved) => {
          const [dx, dgain] = native.rmsNormGrad(torch.handle(dy),
            ...(saved.map((t) => torch.handle(t)) as [number, number, number]));
          return [torch.tensor(dx, x.shape), torch.tensor(dgain, gain.shape)];
        },
      };
    });
}
