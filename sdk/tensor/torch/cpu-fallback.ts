import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { TorchBackend, TorchData } from "./backend.js";

/** Kernels that belong in JavaScript: strings, complex numbers, and lists whose length depends on the values. */
const EXPECTED = new RegExp(
  "String|Sparse|Ragged|NonMax|Complex|Real|Imag|FFT|Multinomial|Unique|ListDiff|BroadcastArgs|LinSpace|Range|Bincount"
    + "|Draw",
);

/**
 * Lets every kernel that this back end lacks run on TensorFlow.js's plain JavaScript one, by copy; says so once for
 * each.
 */
export function registerFallbacks(torch: TorchBackend): void {
  for (const { kernelName } of tf.getKernelsForBackend("cpu")) {
    if (tf.getKernel(kernelName, "torch")) continue;
    let said = EXPECTED.test(kernelName);
    tf.registerKernel({
      kernelName,
      backendName: "torch",
      kernelFunc: ({ inputs, attrs }) => {
        if (!said) console.warn(`torch: ${kernelName} runs in plain JavaScript, which is slower`);
        said = true;
        return runOnCpu(torch, kernelName, inputs, attrs);
      },
    });
  }
}

/** Runs one kernel of the JavaScript back end on copies of the inputs. */
export function runOnCpu(torch: TorchBackend, kernelName: string, inputs: NamedTensorInfoMap, attrs?: NamedAttrMap):
  | TensorInfo
  | TensorInfo[] {
  const cpu = tf.findBackend("cpu") as CpuBackend;
  const kernel = tf.getKernel(kernelName, "cpu");
  if (!kernel) throw new Error(`torch: no back end has the kernel ${kernelName}`);
  const copies: TensorInfo[] = [];
  const give = (input: Input): Input => {
    if (Array.isArray(input)) return input.map(give) as TensorInfo[];
    const copy = toCpu(torch, cpu, input);
    copies.push(copy);
    return copy;
  };
  const taken =
    (Array.isArray(inputs)
      ? inputs.map(give)
      : Object.fromEntries(
        Object.entries(inputs).filter(([, x]) => x != null).map(([name, x]) => [name, give(x as Input)]),
      )) as NamedTensorInfoMap;
  const results = kernel.kernelFunc({ inputs: taken, attrs: attrs ?? {}, backend: cpu });
  const back = Array.isArray(results) ? results.map((x) => toTorch(torch, cpu, x)) : toTorch(torch, cpu, results);
  for (const copy of copies) cpu.disposeData(copy.dataId, true);
  return back;
}

/** A kernel's input: a tensor, or a list of them in kernels for ragged tensors. */
type Input = TensorInfo | TensorInfo[];

type CpuBackend = tf.KernelBackend & {
  data: { get(dataId: object): { complexTensorInfos?: { real: TensorInfo; imag: TensorInfo } } };
  makeTensorInfo(shape: number[], dtype: string, values?: unknown): TensorInfo;
};

function toCpu(torch: TorchBackend, cpu: CpuBackend, x: TensorInfo): TensorInfo {
  const { parts } = x.dataId as TorchData;
  if (parts) {
    const complex = tf.getKernel("Complex", "cpu");
    return complex.kernelFunc({ inputs: { real: toCpu(torch, cpu, parts.real), imag: toCpu(torch, cpu, parts.imag) },
      attrs: {}, backend: cpu }) as TensorInfo;
  }
  // a few kernels take their inputs for tensors and ask for the rank
  return { dataId: cpu.write(torch.readSync(x.dataId), x.shape, x.dtype), shape: x.shape, dtype: x.dtype,
    rank: x.shape.length } as TensorInfo;
}

function toTorch(torch: TorchBackend, cpu: CpuBackend, x: TensorInfo): TensorInfo {
  const complex = cpu.data.get(x.dataId).complexTensorInfos;
  const dataId = torch.write((complex ? null : cpu.readSync(x.dataId)) as Float32Array, x.shape, x.dtype);
  if (complex)
    dataId.parts = { real: toTorch(torch, cpu, { ...complex.real, shape: x.shape }),
      imag: toTorch(torch, cpu, { ...complex.imag, shape: x.shape }) };
  return { dataId, shape: x.shape, dtype: x.dtype };
}
