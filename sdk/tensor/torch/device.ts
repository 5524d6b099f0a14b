import { MoeError } from "../../errors.js";

const DEVICES = ["cpu", "cuda", "mps"] as const;

/** Where the torch back end keeps its tensors: the processor, an NVIDIA GPU, or the GPU of Apple silicon. */
export type Device = (typeof DEVICES)[number];

/**
 * The device to use. `auto` takes the NVIDIA GPU of an engine that was built with --cuda, and the processor otherwise;
 * MPS has to be named, as long as nobody has recorded a run on it.
 *
 * @param asked the environment variable MOELAB_DEVICE
 * @param there what the engine sees on this machine
 * @throws MoeError `no-device`
 */
export function chooseDevice(asked: string | undefined, there: readonly Device[]): Device {
  if (!asked || asked === "auto") return there.includes("cuda") ? "cuda" : "cpu";
  if (there.includes(asked as Device)) return asked as Device;
  const cure = asked === "cuda"
    ? " Check the driver (nvidia-smi), and build the engine for it: npx moelab engine build --cuda."
    : " Unset MOELAB_DEVICE, or name one of these.";
  throw new MoeError("no-device",
    `ready: MOELAB_DEVICE is "${asked}", and the engine sees ${there.join(", ")} here; known are auto, `
      + `${DEVICES.join(", ")}.${cure}`);
}
