import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readBank } from "../../sdk/model/layer-weights.js";
import { readWeight } from "../../sdk/model/read-weight.js";
import type { MoeFfnSpec } from "../../sdk/model/spec.js";
import type { WeightSource } from "../../sdk/model/weight-source.js";
import { decode, encode } from "../../sdk/tensor/formats/index.js";
import { tf } from "../../sdk/tensor/index.js";
import { testedBackends, useBackend } from "../support/backends.js";

const [E, F, D] = [3, 40, 50];
const made = new Map<number, Uint8Array>();
const codes = (seed: number) =>
  made.get(seed)
    ?? made.set(seed, encode(Float32Array.from({ length: F * D }, (_, i) => Math.sin(seed * 977 + i)), "BF16")).get(
      seed,
    )!;
for (let seed = 0; seed < 40; seed++) codes(seed);
/** A checkpoint of bfloat16 whose tensors are read as they are stored. */
const source = {
  info: (name: string) => ({ dtype: "BF16", shape: name.endsWith("down") ? [D, F] : [F, D], sizeBytes: 2 * F * D }),
  bytes: async (name: string) => codes(name.length + Number(/\d+(?=\.\w+$)/.exec(name)?.[0] ?? 0)),
} as unknown as WeightSource;
const ffn = { kind: "moe", experts: E, gated: false,
  slots: Array.from({ length: E }, () => ({ form: "dense", width: F })), shared: undefined } as unknown as MoeFfnSpec;
const bank = { key: "bank.0", expert: ffn.slots[0] as { form: "dense"; width: number }, slots: [0, 1, 2] };

/**
 * Numbers in float arrays that are made anew while `work` runs, and those that the native engine takes over from
 * JavaScript.
 */
async function countCopies(work: () => Promise<void>): Promise<{ fresh: number; taken: number }> {
  const counts = { fresh: 0, taken: 0 };
  const Plain = globalThis.Float32Array;
  globalThis.Float32Array = new Proxy(Plain, {
    construct(target, args, as) {
      const made = Reflect.construct(target, args, as) as Float32Array;
      if (!(args[0] instanceof ArrayBuffer)) counts.fresh += made.length;
      return made;
    },
  });
  const native =
    (tf.backend() as { native?: Record<"create" | "fill" | "toFloat32", (...args: unknown[]) => unknown> }).native;
  const originals = native && { ...native };
  if (native) {
    native.create = (...args) => ((counts.taken += (args[0] as Uint8Array).length), originals!.create(...args));
    native.fill =
      (...args) => ((counts.taken += (args[2] as Uint8Array).length / (args[3] === 0 ? 4 : 2)),
        originals!.fill(...args));
    native.toFloat32 = (...args) => ((counts.taken += (args[2] as Float32Array).length), originals!.toFloat32(...args));
  }
  try {
    await work();
  } finally {
    globalThis.Float32Array = Plain;
    if (native) Object.assign(native, originals);
  }
  return counts;
}

for (const backend of testedBackends) {
  const test = suite(`weights from their bytes on ${backend}`);
  test.before(() => useBackend(backend));

  test("a weight and the experts of a bank are copied once between the file and the device", async () => {
    const seen: tf.Tensor[] = [];
    const { fresh, taken } = await countCopies(async () => {
      seen.push(await readWeight(source, "attention.q"));
      for (const tensor of (await readBank(source, "layers.0", ffn, bank, D)).values()) seen.push(tensor);
      if (backend === "torch") { for (const tensor of seen) tf.neg(tensor).dispose(); // what waits in JavaScript goes over
       }
    });
    const numbers = F * D * (1 + 2 * E);
    // into the memory of WebAssembly they are written without an array of their own
    assert.is(fresh + taken, backend === "wasm" ? 0 : numbers, `${fresh} in arrays, ${taken} taken over`);
    assert.is(taken, backend === "torch" ? numbers : 0);
    const up = await seen[1].data<"float32">();
    for (let e = 0; e < E; e++)
      assert.equal([...up.subarray(e * F * D, (e + 1) * F * D)], [
        ...decode(codes("layers.0.experts.0.up".length + e), "BF16"),
      ]);
    tf.dispose(seen);
  });

  test("a large weight is read in pieces of 4 MB into memory that is used again", async () => {
    const [rows, width] = [5001, 1000];
    const all = Uint16Array.from({ length: rows * width }, (_, i) => 0x3f80 + (i % 128));
    const reads: [start: number, end: number, memory: ArrayBufferLike][] = [];
    const large = {
      info: () => ({ dtype: "BF16", shape: [rows, width], sizeBytes: 2 * rows * width }),
      bytes: async (_: string, { start, end }: { start: number; end: number }, into: Uint8Array) => {
        reads.push([start, end, into.buffer]);
        const bytes = into.subarray(0, 2 * width * (end - start));
        bytes.set(new Uint8Array(all.buffer, 2 * width * start, bytes.length));
        return bytes;
      },
    } as unknown as WeightSource;
    const tensor = await readWeight(large, "embedding");
    assert.equal(reads.map(([start, end]) => [start, end]), [[0, 2097], [2097, 4194], [4194, 5001]]);
    assert.is(new Set(reads.map(([, , memory]) => memory)).size, 1);
    const seen = await tensor.data<"float32">();
    assert.ok(decode(new Uint8Array(all.buffer), "BF16").every((value, i) => value === seen[i]));
    tensor.dispose();
    // where only the whole can be had as numbers
    const whole = { ...large, bytes: () => undefined, read: async () => tf.ones([2]) } as unknown as WeightSource;
    const ones = await readWeight(whole, "embedding");
    assert.equal([...(await ones.data())], [1, 1]);
    ones.dispose();
  });

  test("an expert that cannot be read leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    const broken = { ...source, bytes: async (name: string) => {
      if (name.includes("experts.2")) throw new Error("gone");
      return source.bytes!(name);
    } } as WeightSource;
    let message = "";
    await readBank(broken, "layers.0", ffn, bank, D).catch((error: Error) => (message = error.message));
    assert.is(message, "gone");
    assert.is(tf.memory().numTensors, before);
  });

  test.run();
}
