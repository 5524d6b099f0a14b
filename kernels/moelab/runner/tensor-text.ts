import { inspect } from "node:util";

/** What is used of a TensorFlow.js tensor; the kernel does not load the library for it. */
interface TensorLike {
  shape: number[];
  dtype: string;
  size: number;
  isDisposed: boolean;
  data(): Promise<ArrayLike<number>>;
  reshape(shape: number[]): TensorLike;
  slice(begin: number[], size: number[]): TensorLike;
  dispose(): void;
}

export function isTensor(value: unknown): value is TensorLike {
  const tensor = value as Partial<TensorLike> & { dataId?: unknown };
  return typeof value === "object" && value !== null && "dataId" in value && Array.isArray(tensor.shape)
    && typeof tensor.dtype === "string" && typeof tensor.data === "function";
}

const TENSOR_VALUES = 200;

function tensorTitle({ dtype, shape, isDisposed }: TensorLike): string {
  return `Tensor ${dtype} [${shape.join(", ")}]${isDisposed ? ", disposed" : ""}`;
}

/**
 * Makes tensors inside other values print as one line, `Tensor float32 [2, 3]`, once the library is there: it keeps its
 * class
 * among its globals.
 */
export function describeTensors(): void {
  const globals = (globalThis as { _tfGlobals?: Map<string, { prototype: object }> })._tfGlobals;
  const prototype = globals?.get("Tensor")?.prototype;
  if (!prototype || inspect.custom in prototype) return;
  Object.defineProperty(prototype, inspect.custom, { configurable: true, value(this: TensorLike) {
    return tensorTitle(this);
  } });
}

/** Shape, type and the first values; only these are read from the back end. */
export async function tensorText(tensor: TensorLike): Promise<string> {
  const title = tensorTitle(tensor);
  if (tensor.isDisposed) return title;
  if (tensor.dtype === "complex64") return `${title}: tf.real and tf.imag give its parts`;
  const flat = tensor.reshape([-1]);
  const head = flat.slice([0], [Math.min(tensor.size, TENSOR_VALUES)]);
  try {
    const values = Array.from(await head.data(),
      (item) => (typeof item === "number" && !Number.isInteger(item) ? Number(item.toPrecision(5)) : item));
    if (tensor.size > TENSOR_VALUES)
      return `${title}\n${inspect(values, { maxArrayLength: null, breakLength: 100 })}\n(cut: the first `
        + `${TENSOR_VALUES} of ${tensor.size.toLocaleString("en")} values; await tensor.array() gives all)`;
    return `${title}\n${inspect(nest(values, tensor.shape), { depth: null, maxArrayLength: null, breakLength: 100 })}`;
  } finally {
    flat.dispose();
    head.dispose();
  }
}

function nest(values: unknown[], shape: number[]): unknown {
  if (shape.length === 0) return values[0];
  if (shape.length === 1) return values;
  const rest = shape.slice(1);
  const size = rest.reduce((a, b) => a * b, 1);
  return Array.from({ length: shape[0]! }, (_, i) => nest(values.slice(i * size, (i + 1) * size), rest));
}
