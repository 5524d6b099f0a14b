import { FormatError } from "../errors.js";
import type { TensorInfo } from "../model/weight-source.js";
import { decodeMxfp4 } from "../tensor/formats/index.js";
import type { Range, TensorStore } from "./tensor-store.js";

const MXFP4_BLOCK = 32;

/** Rows and columns that share a scale. */
export type BlockSize = readonly [rows: number, columns: number];
const FP8_BLOCK: BlockSize = [128, 128];

/**
 * Shows the two quantised forms that published MoE models use as the weights that they stand for:
 * - block-scaled fp8 (DeepSeek-V3): `X` with `X_scale_inv` per block becomes `X`;
 * - MXFP4 (gpt-oss): `X_blocks` [E, out, in/32, 16] and `X_scales` [E, out, in/32] become `X` [E, in, out], the layout
 *   of its bfloat16 form.
 * Their bytes are those of the codes, then those of the scales. All other tensors pass through. Rows, here experts for
 * MXFP4, are read by their byte range, with their scales.
 *
 * @param block of fp8 weights: `quantization_config.weight_block_size` in config.json, 128 x 128 unless told
 * @example const expert = await dequantized(store).values("model.layers.0.mlp.experts.down_proj", { start: 5, end: 6 })
 */
export function dequantized(store: TensorStore, block: BlockSize = FP8_BLOCK): TensorStore {
  if (!hasAny(store.names(), (name) => name.endsWith("_blocks") || name.endsWith("_scale_inv"))) return store;
  const isMxfp4 = (name: string) => store.has(`${name}_blocks`) && store.has(`${name}_scales`);
  const isScaled = (name: string) => store.has(`${name}_scale_inv`) && store.has(name);
  const partOf = (name: string) =>
    (/_(blocks|scales)$/.test(name) && isMxfp4(name.replace(/_(blocks|scales)$/, "")))
    || (name.endsWith("_scale_inv") && isScaled(name.replace(/_scale_inv$/, "")));
  return {
    metadata: store.metadata,
    readBytes: store.readBytes,
    close: () => store.close(),
    *names() {
      for (const name of store.names()) {
        if (!partOf(name)) yield name;
        else if (name.endsWith("_blocks")) yield name.replace(/_blocks$/, "");
      }
    },
    has: (name) => (store.has(name) && !partOf(name)) || isMxfp4(name),
    info:
      (name) => (isMxfp4(name) ? mxfp4Info(store, name) : isScaled(name) ? scaledInfo(store, name) : store.info(name)),
    bytes: (
      name,
      range,
      into,
    ) => (isMxfp4(name)
      ? joinedBytes(store, `${name}_blocks`, `${name}_scales`, range)
      : isScaled(name)
      ? joinedBytes(store, name, `${name}_scale_inv`, range)
      : store.bytes(name, range, into)),
    values: (
      name,
      rows,
    ) => (isMxfp4(name)
      ? mxfp4Values(store, name, rows)
      : isScaled(name)
      ? scaledValues(store, name, block, rows)
      : store.values(name, rows)),
  };
}

function hasAny(names: Iterable<string>, is: (name: string) => boolean): boolean {
  for (const name of names) if (is(name)) return true;
  return false;
}

/** The bytes of two tensors as if one followed the other. */
async function joinedBytes(store: TensorStore, first: string, second: string, range?: Range): Promise<Uint8Array> {
  const border = store.info(first).sizeBytes;
  const { start, end } = range ?? { start: 0, end: border + store.info(second).sizeBytes };
  const parts: Uint8Array[] = [];
  if (start < border) parts.push(await store.bytes(first, { start, end: Math.min(end, border) }));
  if (end > border) parts.push(await store.bytes(second, { start: Math.max(0, start - border), end: end - border }));
  return Buffer.concat(parts);
}

function scaledInfo(store: TensorStore, name: string): TensorInfo {
  const codes = store.info(name);
  return { ...codes, sizeBytes: codes.sizeBytes + store.info(`${name}_scale_inv`).sizeBytes };
}

function mxfp4Info(store: TensorStore, name: string): TensorInfo {
  const blocks = store.info(`${name}_blocks`);
  const scales = store.info(`${name}_scales`);
  const [experts, outputs, groups, bytes] = blocks.shape;
  const agree = blocks.shape.length === 4 && bytes === MXFP4_BLOCK / 2
    && scales.shape.join() === [experts, outputs, groups].join();
  if (!agree || blocks.dtype !== "U8" || scales.dtype !== "U8") {
    throw new FormatError("mxfp4",
      `load: ${name}_blocks is ${blocks.dtype} [${blocks.shape}] and ${name}_scales ${scales.dtype} `
        + `[${scales.shape}]; accepted is U8 [E, out, in/32, 16] and U8 [E, out, in/32]. Check that both come `
        + "from the same revision.");
  }
  return { dtype: "MXFP4", shape: [experts, groups * MXFP4_BLOCK, outputs],
    sizeBytes: blocks.sizeBytes + scales.sizeBytes };
}

/** [rows, in, out]: each expert is stored [out, in] and turned. */
async function mxfp4Values(store: TensorStore, name: string, range?: Range): Promise<Float32Array> {
  const [experts, inputs, outputs] = mxfp4Info(store, name).shape;
  const rows = range ?? { start: 0, end: experts };
  const { sizeBytes } = store.info(`${name}_scales`);
  const perExpert = experts === 0 ? 0 : sizeBytes / experts;
  const part = (bytes: number) => ({ start: rows.start * bytes, end: rows.end * bytes });
  const stored = decodeMxfp4(await store.bytes(`${name}_blocks`, part(perExpert * 16)),
    await store.bytes(`${name}_scales`, part(perExpert)));
  const turned = new Float32Array(stored.length);
  for (let expert = 0; expert < rows.end - rows.start; expert++) {
    const base = expert * inputs * outputs;
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++) turned[base + i * outputs + o] = stored[base + o * inputs + i];
  }
  return turned;
}

async function scaledValues(
  store: TensorStore,
  name: string,
  [height, width]: BlockSize,
  range?: Range,
): Promise<Float32Array> {
  const { shape } = store.info(name);
  const scaleName = `${name}_scale_inv`;
  const [rowCount, columns] = shape;
  const expected = [Math.ceil(rowCount / height), Math.ceil(columns / width)];
  if (shape.length !== 2 || store.info(scaleName).shape.join() !== expected.join()) {
    throw new FormatError("fp8",
      `load: ${name} is [${shape}] and its scales [${store.info(scaleName).shape}]; accepted is a matrix `
        + `with one scale per ${height} x ${width} block, here [${expected}]. Check that both come from the `
        + "same revision.");
  }
  const rows = range ?? { start: 0, end: rowCount };
  const values = await store.values(name, rows);
  const firstBlock = Math.floor(rows.start / height);
  const scales = await store.values(scaleName, { start: firstBlock,
    end: Math.min(expected[0], Math.max(firstBlock, Math.ceil(rows.end / height))) });
  for (let at = 0, row = rows.start; row < rows.end; row++) {
    const scaleRow = (Math.floor(row / height) - firstBlock) * expected[1];
    for (let column = 0; column < columns; column++, at++) values[at] *= scales[scaleRow + Math.floor(column / width)];
  }
  return values;
}
