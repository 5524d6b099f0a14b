import type { Tensor, Tensor3D } from "@tensorflow/tfjs-core";
import { MoeError } from "../errors.js";
import { ready, tf } from "../tensor/index.js";
import { Activations, type Held } from "./activations.js";
import { type Batch, flattenBatch, inGivenOrder, type Rows } from "./batch.js";
import { embed, finalNorm, head } from "./ends.js";
import { layerPass, type Traveller } from "./layer-pass.js";
import { type HeadsRecord, keyMaskOf, type MoeRecord, type Pass } from "./pass.js";
import type { Resident } from "./resident.js";
import { type LayerId, layerId, type ModelSpec } from "./spec.js";

/** Keeps where a sweep is, so that another one goes on from there. */
export interface SweepKeeper {
  restore(activations: Activations): Promise<SweepPoint | undefined>;
  save(point: SweepPoint): Promise<void>;
}

/** Where in a sweep something happened. */
export interface SweepPlace {
  batch: number;
  stack: "encoder" | "decoder";
  rows: Rows;
}

export interface SweepOptions {
  /** one MoE layer did one batch; the tensors are disposed when the handler is done */
  onMoe?(record: MoeRecord, place: SweepPlace): void | Promise<void>;
  /** the router of a mixture of attention heads did one batch; the tensors are disposed when the handler returns */
  onHeads?(record: HeadsRecord, layer: LayerId, rows: Rows): void;
  /**
   * whether `onMoe` runs experts once more; default false. true: records hold all of a layer, which is then read whole,
   * whatever its size; "loaded": records of a layer that is larger than memory have `experts`, which reads those that
   * are asked for
   */
  experts?: boolean | "loaded";
  /** one layer did all batches */
  onLayer?(layer: LayerId): void | Promise<void>;
  /**
   * keeps the activations after each layer, and goes on from those that are there: layers that were done are not shown
   * again
   */
  state?: SweepKeeper;
  /**
   * input of each layer (`layer` = its index), output of the last (`layer` = number of layers) and of the final norm
   * ("norm"), [N, D]; a copy that the handler owns
   */
  onHidden?(x: Tensor, layer: number | "norm", place: SweepPlace): void;
  /** [B, T, V]; the handler owns it */
  onLogits?(logits: Tensor3D, batch: number): void | Promise<void>;
  /** tokens over an expert's capacity are dropped where the model has one; default true */
  capacity?: boolean;
  signal?: AbortSignal;
  onProgress?(done: number, total: number): void;
}

/**
 * The one forward pass, layer by layer: all batches go through layer l, then through l + 1, so that a layer is read
 * once and a model larger than memory can run. A resident model and a streamed one run the same code.
 *
 * @throws MoeError `bad-batch`, `aborted`, `disk-full`
 */
export async function sweep(
  spec: ModelSpec,
  resident: Resident,
  batches: Batch[],
  options: SweepOptions = {},
): Promise<void> {
  await ready();
  const sides = batches.map((batch) => flattenBatch(batch, spec));
  const total = (spec.encoder?.layers.length ?? 0) + spec.decoder.layers.length;
  const activations = new Activations(resident.budget);
  const masks = sides.map(({ encoder }) => (encoder ? keyMaskOf(encoder) : undefined));
  let done = 0;
  const run: Run = { spec, resident, options, activations, advance: () => options.onProgress?.(++done, total) };
  try {
    const begun = await options.state?.restore(activations);
    const memories = !spec.encoder
      ? []
      : begun?.stack === "decoder"
      ? begun.batches.map(({ memory }) => memory!)
      : await runStack(run, "encoder", sides.map(({ encoder }) => encoder!), () => ({}), begun);
    if (begun?.stack === "decoder") spec.encoder?.layers.forEach(run.advance);
    const outputs = await runStack(run, "decoder", sides.map(({ decoder }) => decoder),
      (batch) => ({ memory: memories[batch], memoryMask: masks[batch] }),
      begun?.stack === "decoder" ? begun : undefined);
    if (!options.onLogits) return;
    const top = await resident.take("head");
    try {
      for (let batch = 0; batch < outputs.length; batch++) {
        const { B, T } = sides[batch].decoder;
        const x = await outputs[batch].take();
        const logits = tf.tidy(() =>
          tf.reshape(inGivenOrder(head(tf.reshape(x, [B * T, spec.width]), spec, top), sides[batch].decoder), [B, T,
            spec.vocab])
        ) as Tensor3D;
        x.dispose();
        await options.onLogits(logits, batch);
      }
    } finally {
      resident.release("head");
    }
  } finally {
    await activations.close();
    tf.dispose(masks.filter((mask) => mask !== undefined) as never);
  }
}

interface Run {
  spec: ModelSpec;
  resident: Resident;
  options: SweepOptions;
  activations: Activations;
  advance(): void;
}

/** Runs one stack over all batches; gives the normalised outputs [B, T, D]. */
async function runStack(
  { spec, resident, options, activations, advance }: Run,
  stack: "encoder" | "decoder",
  sides: Rows[],
  extra: (batch: number) => { memory?: Held; memoryMask?: Tensor },
  begun?: SweepPoint,
): Promise<Held[]> {
  const { layers } = spec[stack]!;
  const passes: Pass[] = sides.map((rows, batch) => ({
    B: rows.B,
    T: rows.T,
    offset: 0,
    real: rows.real,
    keyMask: keyMaskOf(rows),
    capacity: options.capacity ?? true,
    memoryMask: extra(batch).memoryMask,
    bias: begun?.batches[batch].bias,
  }));
  try {
    const inputs = begun ? begun.batches.map(({ x }) => x) : await embedded(sides, stack, spec, resident, activations);
    const travellers: Traveller[] = inputs.map((x, batch) => ({ x, pass: passes[batch], memory: extra(batch).memory }));
    const show = async (held: Held, layer: number | "norm", batch: number) => {
      if (!options.onHidden) return;
      const [x, rows] = [await held.read(), sides[batch]];
      options.onHidden(tf.tidy(() => tf.reshape(inGivenOrder(tf.reshape(x, [-1, spec.width]), rows), x.shape)), layer, {
        batch,
        stack,
        rows,
      });
      x.dispose();
    };
    for (let index = 0; index < layers.length; index++) {
      if (index < (begun?.layer ?? 0)) {
        advance();
        continue;
      }
      const path = layerId(stack, index);
      if (options.signal?.aborted)
        throw new MoeError("aborted", `sweep: stopped before ${path} at the caller's request.`);
      for (const [batch, { x }] of travellers.entries()) await show(x, index, batch);
      if (options.onHeads) {
        for (const [batch, pass] of passes.entries())
          pass.onHeads = (record) => options.onHeads!(record, path, sides[batch]);
      }
      await layerPass({ resident, spec, stack, index, activations }, travellers, {
        experts: options.experts,
        onMoe: options.onMoe && ((record, batch) => options.onMoe!(record, { batch, stack, rows: sides[batch] })),
      });
      await options.onLayer?.(path);
      await options.state?.save({ stack, layer: index + 1,
        batches: travellers.map(({ x, pass: { bias }, memory }) => ({ x, bias, memory })) });
      advance();
    }
    const outputs: Held[] = [];
    const top = await resident.take("finalNorm");
    try {
      for (const [batch, traveller] of travellers.entries()) {
        await show(traveller.x, layers.length, batch);
        const x = await traveller.x.take();
        const { B, T } = sides[batch];
        outputs.push(
          await activations.hold(tf.tidy(() => tf.reshape(finalNorm(x, spec, top, stack), [B, T, spec.width]))),
        );
        x.dispose();
        await show(outputs[batch], "norm", batch);
      }
    } finally {
      resident.release("finalNorm");
    }
    return outputs;
  } finally {
    tf.dispose(passes.flatMap(({ bias, keyMask }) => [bias, keyMask].filter((tensor) => tensor !== undefined)));
  }
}

/** What the first layer of a stack sees of each batch. */
async function embedded(
  sides: Rows[],
  stack: "encoder" | "decoder",
  spec: ModelSpec,
  resident: Resident,
  activations: Activations,
): Promise<Held[]> {
  const top = await resident.take("embedding");
  try {
    const inputs: Held[] = [];
    for (const rows of sides)
      inputs.push(await activations.hold(tf.tidy(() => tf.clone(embed(rows, spec, top, stack)))));
    return inputs;
  } finally {
    resident.release("embedding");
  }
}

/** Where a sweep is: `layer` layers of this stack are done. */
export interface SweepPoint {
  stack: "encoder" | "decoder";
  layer: number;
  batches: { x: Held; bias?: Tensor; memory?: Held }[];
}
