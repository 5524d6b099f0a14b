import { FormatError, MoeError } from "../errors.js";
import { decodeMxfp4 } from "../tensor/formats/index.js";
import type { Range, TensorStore } from "./tensor-store.js";
import type { TensorInfo } from "./weight-source.js";

/** DeepSeek-V3 scales blocks of this many rows and columns (`weight_block_size` in config.json). */
const FP8_BLOCK = 128;
const MXFP4_BLOCK = 32;

/**
 * Shows the two quantised forms that published MoE models use as the weights that they stand for:
 * - block-scaled fp8 (DeepSeek-V3): `X` with `X_scale_inv` per 128 x 128 block becomes `X`;
 * - MXFP4 (gpt-oss): `X_blocks` [E, out, in/32, 16] and `X_scales` [E, out, in/32] become `X` [E, in, out], the layout of its bfloat16 form.
 * All other tensors pass through. Rows, here experts for MXFP4, are read by their byte range, with their scales.
 *
 * @example const expert = await dequantized(store).values("model.layers.0.mlp.experts.down_proj", { start: 5, end: 6 })
 */
export function dequantized(store: TensorStore): TensorStore {
  const isMxfp4 = (name: string) => store.has(`${name}_blocks`) && store.has(`${name}_scales`);
  const isScaled = (name: string) => store.has(`${name}_scale_inv`) && store.has(name);
  const partOf = (name: string) =>
    (/_(blocks|scales)$/.test(name) && isMxfp4(name.replace(/_(blocks|scales)$/, ""))) || (name.endsWith("_scale_inv") && isScaled(name.replace(/_scale_inv$/, "")));
  return {
    metadata: store.metadata,
    close: () => store.close(),
    *names() {
      for (const name of store.names()) {
        if (!partOf(name)) yield name;
        else if (name.endsWith("_blocks")) yield name.replace(/_blocks$/, "");
      }
    },
    has: (name) => (store.has(name) && !partOf(name)) || isMxfp4(name),
    info: (name) => (isMxfp4(name) ? mxfp4Info(store, name) : store.info(name)),
    bytes(name, range) {
      if (!isMxfp4(name) && !isScaled(name)) return store.bytes(name, range);
      throw new MoeError("quantized", `read: "${name}" is stored in two tensors; accepted is its values. Read values, or the bytes from the store itself.`);
    },
    values: (name, rows) => (isMxfp4(name) ? mxfp4Values(store, name, rows) : isScaled(name) ? scaledValues(store, name, rows) : store.values(name, rows)),
  };
}

function mxfp4Info(store: TensorStore, name: string): TensorInfo {
  const blocks = store.info(`${name}_blocks`);
  const scales = store.info(`${name}_scales`);
  const [experts, outputs, groups, bytes] = blocks.shape;
  const agree = blocks.shape.length === 4 && bytes === MXFP4_BLOCK / 2 && scales.shape.join() === [experts, outputs, groups].join();
  if (!agree || blocks.dtype !== "U8" || scales.dtype !== "U8") {
    throw new FormatError("mxfp4", `load: ${name}_blocks is ${blocks.dtype} [${blocks.shape}] and ${name}_scales ${scales.dtype} [${scales.shape}]; accepted is U8 [E, out, in/32, 16] and U8 [E, out, in/32]. Check that both come from the same revision.`);
  }
  return { dtype: "MXFP4", shape: [experts, groups * MXFP4_BLOCK, outputs], sizeBytes: blocks.sizeBytes + scales.sizeBytes };
}

/** [rows, in, out]: each expert is stored [out, in] and turned. */
async function mxfp4Values(store: TensorStore, name: string, range?: Range): Promise<Float32Array> {
  const [experts, inputs, outputs] = mxfp4Info(store, name).shape;
  const rows = range ?? { start: 0, end: experts };
  const { sizeBytes } = store.info(`${name}_scales`);
  const perExpert = experts === 0 ? 0 : sizeBytes / experts;
  const part = (bytes: number) => ({ start: rows.start * bytes, end: rows.end * bytes });
  const stored = decodeMxfp4(await store.bytes(`${name}_blocks`, part(perExpert * 16)), await store.bytes(`${name}_scales`, part(perExpert)));
  const turned = new Float32Array(stored.length);
  for (let expert = 0; expert < rows.end - rows.start; expert++) {
    const base = expert * inputs * outputs;
    for (let o = 0; o < outputs; o++) for (let i = 0; i < inputs; i++) turned[base + i * outputs + o] = stored[base + o * inputs + i];
  }
  return turned;
}

async function scaledValues(store: TensorStore, name: string, range?: Range): Promise<Float32Array> {
  const { shape } = store.info(name);
  const scaleName = `${name}_scale_inv`;
  const [rowCount, columns] = shape;
  const expected = [Math.ceil(rowCount / FP8_BLOCK), Math.ceil(columns / FP8_BLOCK)];
  if (shape.length !== 2 || store.info(scaleName).shape.join() !== expected.join()) {
    throw new FormatError("fp8", `load: ${name} is [${shape}] and its scales [${store.info(scaleName).shape}]; accepted is a matrix with one scale per ${FP8_BLOCK} x ${FP8_BLOCK} block, here [${expected}]. Check that both come from the same revision.`);
  }
  const rows = range ?? { start: 0, end: rowCount };
  const values = await store.values(name, rows);
  const firstBlock = Math.floor(rows.start / FP8_BLOCK);
  const scales = await store.values(scaleName, { start: firstBlock, end: Math.min(expected[0], Math.max(firstBlock, Math.ceil(rows.end / FP8_BLOCK))) });
  for (let at = 0, row = rows.start; row < rows.end; row++) {
    const scaleRow = (Math.floor(row / FP8_BLOCK) - firstBlock) * expected[1];
    for (let column = 0; column < columns; column++, at++) values[at] *= scales[scaleRow + Math.floor(column / FP8_BLOCK)];
  }
  return values;
}
