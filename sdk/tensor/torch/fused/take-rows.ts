import * as tf from "@tensorflow/tfjs-core";
import type { FusedOps } from "../../fused.js";
import { withGradient } from "../../ops/with-gradient.js";
import type { TorchBackend } from "../backend.js";

/** The gradient adds rows in the order of the list, on any number of threads. */
export function takeRows(torch: TorchBackend): FusedOps["takeRows"] {
  const { native } = torch;
  return (x, rows) =>
    withGradient([x], (save) => {
      save([rows]);
      const [count, width] = x.shape as [number, number];
      return {
        value: tf.engine().makeTensorFromTensorInfo(
          torch.moved(x, [rows.size, width], (handle) => native.gather(handle, torch.handle(rows), 0, 0)),
        ),
        gradient: (dy, saved) =>
          torch.tensor(native.addRows(torch.handle(dy), torch.handle(saved[0]), count), [count, width]),
      };
    });
}
