import type { Tensor, Tensor3D } from "@tensorflow/tfjs";
import { MoeError } from "../errors.js";
import { ready, tf } from "../tensor/index.js";
import { flattenBatch, type Batch, type Rows } from "./batch.js";
import { embed, finalNorm, head } from "./ends.js";
import { keyMaskOf, type MoeRecord, type Pass } from "./pass.js";
import { TOP, type Resident } from "./resident.js";
import { runLayer } from "./run-layer.js";
import { layerId, type ModelSpec } from "./spec.js";

/** Where in a sweep something happened. */
export interface SweepPlace { batch: number; stack: "encoder" | "decoder"; rows: Rows }

export interface SweepOptions {
  /** one MoE layer did one batch; the tensors are disposed when the handler is done */
  onMoe?(record: MoeRecord, place: SweepPlace): void | Promise<void>;
  /** input of each layer (`layer` = its index), output of the last (`layer` = number of layers) and of the final norm ("norm"), [N, D]; a copy that the handler owns */
  onHidden?(x: Tensor, layer: number | "norm", place: SweepPlace): void;
  /** [B, T, V]; the handler owns it */
  onLogits?(logits: Tensor3D, batch: number): void | Promise<void>;
  /** tokens over an expert's capacity are dropped where the model has one; default true */
  capacity?: boolean;
  signal?: AbortSignal;
  onProgress?(done: number, total: number): void;
}

interface State { rows: Rows; x: Tensor; pass: Pass }

/**
 * The one forward pass, layer by layer: all batches go through layer l, then through l + 1, so that a layer is read
 * once and a model larger than memory can run. A resident model and a streamed one run the same code.
 *
 * @throws MoeError `bad-batch`, `aborted`
 */
export async function sweep(spec: ModelSpec, resident: Resident, batches: Batch[], options: SweepOptions = {}): Promise<void> {
  await ready();
  const sides = batches.map((batch) => flattenBatch(batch, spec));
  const total = (spec.encoder?.layers.length ?? 0) + spec.decoder.layers.length;
  let done = 0;
  const advance = () => options.onProgress?.(++done, total);

  const memories = spec.encoder ? await runStack("encoder", sides.map(({ encoder }) => encoder!), spec, resident, options, advance) : [];
  const masks = sides.map(({ encoder }) => (encoder ? keyMaskOf(encoder) : undefined));
  try {
    const outputs = await runStack("decoder", sides.map(({ decoder }) => decoder), spec, resident, options, advance, (batch) => ({
      memory: memories[batch],
      memoryMask: masks[batch],
    }));
    const top = await resident.take(TOP);
    for (let batch = 0; batch < outputs.length; batch++) {
      const x = outputs[batch];
      if (options.onLogits) {
        const { B, T } = sides[batch].decoder;
        const logits = tf.tidy(() => tf.reshape(head(tf.reshape(x, [B * T, spec.width]), spec, top), [B, T, spec.vocab])) as Tensor3D;
        x.dispose();
        await options.onLogits(logits, batch);
      } else x.dispose();
    }
  } finally {
    tf.dispose([memories, masks.filter((mask) => mask !== undefined)] as never);
  }
}

/** Runs one stack over all batches; gives the normalised outputs [B, T, D]. */
async function runStack(
  stack: "encoder" | "decoder", sides: Rows[], spec: ModelSpec, resident: Resident, options: SweepOptions, advance: () => void,
  extra: (batch: number) => Partial<Pass> = () => ({}),
): Promise<Tensor[]> {
  const top = await resident.take(TOP);
  const { layers } = spec[stack]!;
  const states: State[] = sides.map((rows, batch) => ({
    rows,
    x: tf.tidy(() => embed(rows, spec, top, stack)),
    pass: { B: rows.B, T: rows.T, offset: 0, real: rows.real, keyMask: keyMaskOf(rows), capacity: options.capacity ?? true, ...extra(batch) },
  }));
  const show = (x: Tensor, layer: number | "norm", batch: number) => options.onHidden?.(tf.clone(x), layer, { batch, stack, rows: states[batch].rows });
  for (let index = 0; index < layers.length; index++) {
    if (options.signal?.aborted) {
      tf.dispose(states.flatMap(({ x, pass }) => [x, pass.keyMask, pass.bias].filter((tensor) => tensor !== undefined)));
      throw new MoeError("aborted", `sweep: stopped before ${layerId(stack, index)} at the caller's request.`);
    }
    const path = layerId(stack, index);
    const weights = await resident.take(path);
    for (let batch = 0; batch < states.length; batch++) {
      const state = states[batch];
      show(state.x, index, batch);
      const records: MoeRecord[] = [];
      if (options.onMoe) state.pass.onMoe = (record) => void records.push(keepRecord(record));
      const before = state.x;
      const bias = state.pass.bias;
      state.x = tf.tidy(() => {
        const y = runLayer(before, layers[index], weights, state.pass, stack, index);
        if (state.pass.bias !== bias) tf.keep(state.pass.bias!);
        return y;
      });
      before.dispose();
      for (const record of records) {
        await options.onMoe!(record, { batch, stack, rows: state.rows });
        tf.dispose([record.input, record.logits, record.choice, record.gates, record.output]);
      }
    }
    resident.release(path, weights);
    advance();
  }
  return states.map(({ x, rows, pass }, batch) => {
    show(x, layers.length, batch);
    const y = tf.tidy(() => tf.reshape(finalNorm(x, spec, top, stack), [rows.B, rows.T, spec.width]));
    show(y, "norm", batch);
    tf.dispose([x, pass.bias, pass.keyMask].filter((tensor) => tensor !== undefined));
    return y;
  });
}

/** Copies outlive the layer's tidy; the layer's own tensors do not. */
function keepRecord(record: MoeRecord): MoeRecord {
  const copy = <T extends Tensor>(tensor: T) => tf.keep(tf.clone(tensor)) as T;
  return { ...record, input: copy(record.input), logits: copy(record.logits), choice: copy(record.choice), gates: copy(record.gates), output: copy(record.output) };
}

