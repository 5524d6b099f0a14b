import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { tf } from "../../sdk/tensor/index.js";

type Hook = (this: unknown, first: { dataId: object; size: number }, second: unknown) => unknown;
const engine = tf.engine() as unknown as { trackTensor: Hook; removeDataId: Hook };
// buffers that were collected are counted until a thread of its own has freed them
setFlagsFromString("--no-concurrent-array-buffer-sweeping");
// from Node 22 on: code of this compiler keeps arrays for longer than they are used
setFlagsFromString("--no-maglev");
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/**
 * Bytes of tensors and arrays at the worst moment of a job, or `atLeast`; what was there before is left out, clones
 * share theirs.
 * Looked at whenever a tensor is made or freed and whenever arrays were made; where the job looks itself, too.
 *
 * @param grain numbers of the arrays that are to be seen, in float32; an eighth of that may be missed
 * @param atLeast bytes; below that nothing is looked at, as every look collects what is no longer used
 */
export async function heldBy(
  job: (look: () => void) => Promise<void>,
  grain: number,
  atLeast: number,
): Promise<number> {
  // a back end that counts its tensors itself may make one later than tfjs says, and until then the array is all there
  // is
  const { native } = tf.backend() as { native?: Record<string, (...values: unknown[]) => unknown> };
  const calls = { ...native };
  const [bytes, peak] = [1, 2].map((at) => () => (calls.memory() as number[])[at]);
  const own = { trackTensor: engine.trackTensor, removeDataId: engine.removeDataId };
  const arrays = { Float32Array: globalThis.Float32Array, Float64Array: globalThis.Float64Array,
    Uint8Array: globalThis.Uint8Array };
  const copying = Object.getPrototypeOf(Float32Array.prototype) as {
    slice(this: Float32Array, ...range: number[]): Float32Array;
  };
  const { slice } = copying;
  const sizes = new Map<object, number>();
  let [now, most, unseen] = [0, atLeast, 0];
  const inArrays = async () => {
    // what is held weakly goes with the turn of events
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    calls.resetPeak?.();
    return process.memoryUsage().arrayBuffers;
  };
  const before = await inArrays();
  const counted = native ? bytes() : 0;
  const held = () => (native ? peak() - counted : now) + process.memoryUsage().arrayBuffers - before;
  const look = () => {
    // with what could be collected it is more in any case: only then it has to be known
    if (held() > most) {
      collect();
      most = Math.max(most, held());
    }
    calls.resetPeak?.();
  };
  engine.trackTensor = function(tensor, backend) {
    if (!sizes.has(tensor.dataId)) {
      sizes.set(tensor.dataId, 4 * tensor.size);
      now += 4 * tensor.size;
    }
    look();
    return own.trackTensor.call(this, tensor, backend);
  };
  engine.removeDataId = function(id, backend) {
    look();
    now -= sizes.get(id as object) ?? 0;
    sizes.delete(id as object);
    return own.removeDataId.call(this, id, backend);
  };
  // what an operation takes while it runs, before arrays are made for its results
  for (const [name, call] of Object.entries(calls))
    native![name] = (...values) => {
      const result = call(...values);
      look();
      return result;
    };
  const seen = (made: Float32Array) => {
    if ((unseen += made.byteLength) >= grain / 2) {
      unseen = 0;
      look();
    }
    return made;
  };
  copying.slice = function(...range) {
    return seen(slice.apply(this, range));
  };
  for (const name of ["Float32Array", "Float64Array", "Uint8Array"] as const) {
    (globalThis as Record<string, unknown>)[name] = new Proxy(arrays[name], {
      construct: (target, args, as) =>
        seen(Reflect.construct(target, args, as === globalThis[name] ? target : as) as Float32Array),
    });
  }
  try {
    await job(look);
  } finally {
    Object.assign(engine, own);
    Object.assign(globalThis, arrays);
    copying.slice = slice;
    Object.assign(native ?? {}, calls);
  }
  // what the job before had left may have gone only now
  return most + Math.max(0, before - (await inArrays()));
}
