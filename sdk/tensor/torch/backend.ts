import * as tf from "@tensorflow/tfjs-core";
import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import type { Device } from "./device.js";
import { dtypes, type Handle, type Native } from "./native.js";

type Values = Float32Array | Int32Array | Uint8Array | Uint8Array[];

/** What TensorFlow.js calls a data id: the values of a tensor, in JavaScript until an operation needs them. */
export interface TorchData {
  /** -1 while the values are in JavaScript */
  handle: Handle;
  values: Values | null;
  dtype: DataType;
  shape: number[];
  /** tensors that have this data */
  references: number;
  /** the handle belongs to the cache of constants and outlives this */
  constant: boolean;
  /** the addon holds the values as bfloat16; operations and reads see them as float32 */
  short: boolean;
  /** of a complex tensor, which stays in JavaScript */
  parts?: { real: TensorInfo; imag: TensorInfo };
}

/** Thrown for values that the addon does not hold (strings, complex numbers); the kernel then runs in JavaScript. */
export const NOT_NATIVE = new Error("torch: strings and complex numbers stay in JavaScript");

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
type NativeDtype = keyof typeof arrays;

/**
 * The TensorFlow.js back end "torch". Tensors live in the addon; reshape, transpose and slice are views there.
 * Values handed over by the user are copied at their first use, so that a constant that is only read costs nothing.
 */
export class TorchBackend extends tf.KernelBackend {
  private live = 0;
  /** single numbers, as `tf.mul(x, 0.5)` makes them, by value */
  private readonly constants = new Map<number, Handle>();
  /** float32 copies of short tensors that the running operation works on */
  private readonly widened: Handle[] = [];

  constructor(readonly native: Native, readonly device: Device = "cpu") {
    super();
  }

  // ---- for kernels ----

  /** The handle of a tensor's values, good until the operation that asks for it ends. */
  handle(x: TensorInfo): Handle {
    const data = x.dataId as TorchData;
    if (!(data.handle >= 0)) return this.upload(data, x.shape);
    return data.short ? this.widen(data.handle) : data.handle;
  }

  /** The result of an operation that moves or selects elements: what was short stays short. */
  moved(x: TensorInfo, shape: number[], move: (handle: Handle) => Handle): TensorInfo {
    const { handle, short } = x.dataId as TorchData;
    if (!short) return this.output(move(this.handle(x)), shape, x.dtype);
    const result = this.output(move(handle), shape, x.dtype);
    (result.dataId as TorchData).short = true;
    return result;
  }

  /** A tensor of the same values rounded to bfloat16, in half the memory. */
  shorten(x: TensorInfo): TensorInfo {
    const result = this.output(this.native.cast(this.handle(x), dtypes.bfloat16), x.shape, "float32");
    (result.dataId as TorchData).short = true;
    return result;
  }

  /** A tensor held in float64, under the name of float32, which is the widest that TensorFlow.js knows. */
  lengthen(x: TensorInfo | Float64Array, shape: number[]): TensorInfo {
    return this.output(
      x instanceof Float64Array
        ? this.native.create(x, dtypes.float64, ...shape)
        : this.native.cast(this.handle(x), dtypes.float64),
      shape,
      "float32",
    );
  }

  /** The numbers of a tensor that is held in float64. */
  doubles(x: TensorInfo): Float64Array {
    const wide = this.native.cast(this.handle(x), dtypes.float64);
    const values = this.native.read(wide, new Float64Array(tf.util.sizeFromShape(x.shape)));
    this.native.release(wide);
    this.dropWidened();
    return values;
  }

  private widen(handle: Handle): Handle {
    const wide = this.native.cast(handle, dtypes.float32);
    this.widened.push(wide);
    return wide;
  }

  /** Releases what short tensors were widened to; to be called when an operation has ended. */
  dropWidened(): void {
    for (let wide = this.widened.pop(); wide !== undefined; wide = this.widened.pop()) this.native.release(wide);
  }

  /** A kernel's result. */
  output(handle: Handle, shape: number[], dtype: DataType): TensorInfo {
    this.live++;
    const dataId: TorchData = { handle, values: null, dtype, shape, references: 1, constant: false, short: false };
    return { dataId, shape, dtype };
  }

  /** An operation's result as a tensor, outside kernels. */
  tensor(handle: Handle, shape: number[], dtype: DataType = "float32"): tf.Tensor {
    this.dropWidened();
    return tf.engine().makeTensorFromTensorInfo(this.output(handle, shape, dtype));
  }

  /** The same values under another shape or name. */
  share(x: TensorInfo, shape = x.shape, dtype = x.dtype): TensorInfo {
    this.incRef(x.dataId);
    return { dataId: x.dataId, shape, dtype };
  }

  /**
   * Runs native calls in a row: of the handles that `work` holds, all but the returned one are released, also on an
   * error.
   */
  chain(work: (hold: (handle: Handle) => Handle) => Handle): Handle {
    const held: Handle[] = [];
    let result: Handle | undefined;
    try {
      return (result = work((handle) => (held.push(handle), handle)));
    } finally {
      for (const handle of held) if (handle !== result) this.native.release(handle);
    }
  }

  /** Gives a data id new values; the old ones are released. */
  replace(data: TorchData, handle: Handle): void {
    if (data.handle >= 0 && !data.constant) this.native.release(data.handle);
    Object.assign(data, { handle, values: null, constant: false, short: false });
  }

  private upload(data: TorchData, shape: number[]): Handle {
    if (data.handle !== IN_JAVASCRIPT) this.fetch(data);
    const { dtype } = data;
    if (dtype === "string" || dtype === "complex64") throw NOT_NATIVE;
    const values = data.values as unknown as ArrayLike<number>;
    if (dtype === "float32" && shape.length === 0) {
      const known = this.constant(values[0]);
      if (known !== undefined) {
        data.constant = true;
        data.values = null;
        return (data.handle = known);
      }
    }
    const kind = arrays[dtype as NativeDtype];
    const typed = values instanceof kind ? values : kind.from(values);
    data.handle = this.native.create(typed, dtypes[dtype as NativeDtype], ...shape);
    data.values = null;
    return data.handle;
  }

  /** Takes over the values of a tensor that another back end has. */
  private fetch(dataId: TorchData): void {
    const owner = (tf.engine() as unknown as { state: { tensorInfo: WeakMap<object, { backend: tf.KernelBackend }> } })
      .state.tensorInfo.get(dataId);
    if (!owner || owner.backend === this) throw new Error("torch: the tensor was disposed");
    tf.engine().moveData(this, dataId);
  }

  private constant(value: number): Handle | undefined {
    const known = this.constants.get(value);
    if (known !== undefined || this.constants.size >= 4096) return known;
    const handle = this.native.create(new Float32Array([value]), dtypes.float32);
    this.constants.set(value, handle);
    return handle;
  }

  // ---- for TensorFlow.js ----

  override write(values: Values, shape: number[], dtype: DataType): TorchData {
    this.live++;
    return { handle: IN_JAVASCRIPT, values, dtype, shape, references: 1, constant: false, short: false };
  }

  override move(dataId: object, values: Values, shape: number[], dtype: DataType, references: number): void {
    this.live++;
    Object.assign(dataId as TorchData, { handle: IN_JAVASCRIPT, values, dtype, shape, references, constant: false,
      short: false });
  }

  override readSync(dataId: object): Float32Array | Int32Array | Uint8Array {
    const data = dataId as TorchData;
    if (data.parts)
      return tf.backend_util.mergeRealAndImagArrays(this.readSync(data.parts.real.dataId) as Float32Array,
        this.readSync(data.parts.imag.dataId) as Float32Array);
    if (data.handle === RELEASED) throw new Error("torch: the tensor was disposed");
    if (data.handle < 0) return data.values as Float32Array;
    const values = new arrays[data.dtype as NativeDtype](tf.util.sizeFromShape(data.shape));
    if (!data.short) return this.native.read(data.handle, values);
    return this.native.toFloat32(this.native.read(data.handle, new Uint8Array(2 * values.length)), dtypes.bfloat16,
      values as Float32Array);
  }

  /** On a GPU a worker thread waits; on the processor there is nothing to wait for. */
  override async read(dataId: object): Promise<Float32Array | Int32Array | Uint8Array> {
    const data = dataId as TorchData;
    if (this.device === "cpu" || !(data.handle >= 0) || data.parts || data.short) return this.readSync(dataId);
    return this.native.readLater(data.handle, new arrays[data.dtype as NativeDtype](tf.util.sizeFromShape(data.shape)));
  }

  override disposeData(dataId: object, force = false): boolean {
    const data = dataId as TorchData;
    if (data.handle === RELEASED) return false;
    data.references--;
    if (data.references > 0 && !force) return false;
    if (data.handle >= 0 && !data.constant) this.native.release(data.handle);
    if (data.parts) {
      this.disposeData(data.parts.real.dataId, force);
      this.disposeData(data.parts.imag.dataId, force);
    }
    data.handle = RELEASED;
    data.values = null;
    this.live--;
    return true;
  }

  override refCount(dataId: object): number {
    return (dataId as TorchData).references;
  }

  override incRef(dataId: object): void {
    (dataId as TorchData).references++;
  }

  override numDataIds(): number {
    return this.live;
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return true;
  }

  override async time(work: () => void): Promise<tf.BackendTimingInfo> {
    const started = performance.now();
    work();
    return { kernelMs: performance.now() - started };
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override dispose(): void {}
}

const IN_JAVASCRIPT: Handle = -1;
const RELEASED: Handle = -2;
