import { test } from "uvu";
import * as assert from "uvu/assert";
import { cudaRequirements } from "../../../sdk/tensor/torch/build/cuda-libraries.js";
import { chooseDevice, type Device } from "../../../sdk/tensor/torch/device.js";
import { addonPath, findEngine } from "../../../sdk/tensor/torch/engine-folder.js";
import { dtypes, loadNative } from "../../../sdk/tensor/torch/native.js";
import { inProcess } from "../../support/in-process.js";

const engine = findEngine();
if (!engine) console.log("skip: no torch engine was built");
const withEngine = engine ? test : test.skip;

test("the device: a GPU of an engine with CUDA, else the processor; MPS and others by name", () => {
  const cases: [asked: string | undefined, there: Device[], taken: Device][] = [[undefined, ["cpu"], "cpu"], ["", [
    "cpu",
    "cuda",
  ], "cuda"], ["auto", ["cpu", "cuda"], "cuda"], ["auto", ["cpu", "mps"], "cpu"], ["cpu", ["cpu", "cuda"], "cpu"], [
    "cuda",
    ["cpu", "cuda"],
    "cuda",
  ], ["mps", ["cpu", "mps"], "mps"]];
  for (const [asked, there, taken] of cases) assert.is(chooseDevice(asked, there), taken, `${asked} of ${there}`);
  assert.throws(() => chooseDevice("cuda", ["cpu"]),
    (error: { code: string; message: string }) =>
      error.code === "no-device" && /sees cpu here.*nvidia-smi.*--cuda/s.test(error.message));
  assert.throws(() => chooseDevice("gpu", ["cpu", "cuda"]), /known are auto, cpu, cuda, mps/);
});

test("the CUDA packages are those that the wheel names", () => {
  const metadata = "Name: torch\nRequires-Dist: filelock\nRequires-Dist: cuda-toolkit[cublas,cudart]==13.2.2; "
    + "platform_system == \"Linux\"\nRequires-Dist: nvidia-cudnn-cu13==9.26.0.51; platform_system == "
    + "\"Linux\"\nRequires-Dist: triton~=3.9.0\n";
  assert.equal(cudaRequirements(metadata), ["cuda-toolkit[cublas,cudart]==13.2.2", "nvidia-cudnn-cu13==9.26.0.51"]);
  assert.equal(cudaRequirements("Requires-Dist: filelock\n"), []);
});

withEngine("a device that is not there is refused with what to do", async () => {
  const { value } = await inProcess(`console.log(JSON.stringify(await ready().catch((e) => [e.code, e.message])))`, {
    MOELAB_BACKEND: "torch",
    MOELAB_DEVICE: "mps",
  });
  assert.is(value[0], "backend-refused");
  assert.match(value[1], /MOELAB_DEVICE is "mps".*unset MOELAB_DEVICE/s);
});

withEngine("a read that a worker thread waits for gives what a plain one gives; a wrong size is an error", async () => {
  const native = loadNative(addonPath(engine!.folder));
  assert.throws(() => native.useDevice("quantum"), /no device is named quantum/);
  assert.ok(native.useDevice("").includes("cpu"));
  const values = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
  const x = native.create(values, dtypes.float32, 10, 100);
  const wide = native.cast(x, dtypes.float64);
  const [first, again, rounded] = await Promise.all([native.readLater(x, new Float32Array(1000)),
    native.readLater(x, new Float32Array(1000)), native.readLater(wide, new Float32Array(1000))]);
  for (const seen of [first, again, rounded]) assert.equal(seen, values);
  const error = await native.readLater(x, new Float32Array(3)).catch((error: Error) => error);
  assert.match((error as Error).message, /differ in size/);
  native.release(x);
  native.release(wide);
});

test.run();
