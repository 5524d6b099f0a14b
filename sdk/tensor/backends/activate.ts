import * as tf from "@tensorflow/tfjs-core";
import { setStartFilling } from "../filling.js";
import { setNativeDecode } from "../formats/native-decode.js";
import { setFused } from "../fused.js";
import { registerGradients } from "../gradients/register.js";
import { setNativeLinalg } from "../linalg/native.js";
import type { Candidate, EngineInfo, NotStarted, Started } from "./candidate.js";

/** Makes a candidate compute, with what it brings, and tries it. Never throws. */
export async function activate(
  candidate: Candidate,
  asked: boolean,
): Promise<({ ok: true } & Omit<EngineInfo, "refused">) | NotStarted> {
  try {
    silenceAdvice();
    const started = await candidate.start(asked);
    if (!started.ok) return started;
    registerGradients(); // after the start: tfjs-node loads the package that registers its own
    install(started);
    await multiplySomething();
    const { device, version, fused = {} } = started;
    return { ok: true, name: candidate.name, backend: tf.getBackend(), device, version, fused: Object.keys(fused) };
  } catch (error) {
    install({});
    const [firstLine] = String((error as Error)?.message ?? error).split("\n");
    return { ok: false, reason: `it does not start: ${firstLine}`,
      cure: "Reinstall the package that brings it, or remove it." };
  }
}

/** Lets the rest of sdk/tensor use what the active back end does natively, and nothing of an earlier one. */
function install({ fused = {}, linalg = {}, toFloat32, startFilling }: Partial<Started>): void {
  setFused(fused);
  setNativeLinalg(linalg);
  setNativeDecode(toFloat32);
  setStartFilling(startFilling);
}

/**
 * The plain JavaScript back end recommends a package at its first operation, on stderr; others call it for odd
 * operations.
 */
function silenceAdvice(): void {
  (tf.findBackend("cpu") as { firstUse?: boolean }).firstUse = false;
}

async function multiplySomething(): Promise<void> {
  const product = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]])));
  const values = await product.data();
  product.dispose();
  if (values.join() !== "19,22,43,50")
    throw new Error(`a product of two 2 x 2 matrices is ${values.join()}, not 19,22,43,50`);
}
