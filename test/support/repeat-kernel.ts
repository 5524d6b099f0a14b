import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import { tf } from "../../sdk/tensor/index.js";

export type KernelInputs = Record<string, TensorInfo | TensorInfo[] | null | undefined>;
export type Values = Float32Array | Int32Array | Uint8Array;

/** Calls `see` after every kernel that TensorFlow.js runs while `work` does. */
export async function watchKernels(
  work: () => Promise<unknown>,
  see: (name: string, inputs: KernelInputs, attrs: object, outputs: TensorInfo[]) => void,
): Promise<void> {
  const engine = tf.engine() as unknown as {
    runKernel(name: string, inputs: KernelInputs, attrs?: object): TensorInfo | TensorInfo[];
  };
  const original = engine.runKernel;
  engine.runKernel = (name, inputs, attrs) => {
    const outputs = original.call(engine, name, inputs, attrs);
    see(name, inputs, attrs ?? {}, [outputs].flat());
    return outputs;
  };
  try {
    await work();
  } finally {
    delete (engine as Partial<typeof engine>).runKernel; // the method of the class again
  }
}

/**
 * Runs a kernel of another back end on copies of inputs that the active one holds, floats changed by `change`; gives
 * the values of its results.
 */
export function repeatKernel(
  backend: string,
  name: string,
  inputs: KernelInputs,
  attrs: object,
  change = (x: number) => x,
): Values[] {
  const [active, other] = [tf.backend(), tf.findBackend(backend)] as KernelBackend[];
  const made: object[] = [];
  const copy = (x: TensorInfo): TensorInfo => {
    const values = active.readSync(x.dataId) as Values;
    const dataId = other.write(x.dtype === "float32" ? Float32Array.from(values, change) : values.slice(), x.shape,
      x.dtype);
    made.push(dataId);
    return { dataId, shape: x.shape, dtype: x.dtype, rank: x.shape.length } as TensorInfo;
  };
  const copies = Object.entries(inputs).map(([key, x]) =>
    [key, Array.isArray(x) ? x.map(copy) : x && copy(x)] as const
  );
  const given = Array.isArray(inputs) ? copies.map(([, x]) => x) : Object.fromEntries(copies);
  const results = [
    tf.getKernel(name, backend).kernelFunc({ inputs: given as never, attrs: attrs as never, backend: other }),
  ].flat();
  const values = results.map((x) => (other.readSync(x.dataId) as Values).slice());
  for (const dataId of [...made, ...results.map((x) => x.dataId)]) other.disposeData(dataId, true);
  return values;
}
