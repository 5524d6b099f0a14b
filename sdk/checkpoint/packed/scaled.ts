import type { TensorInfo } from "../../model/weight-source.js";
import { decode } from "../../tensor/formats/decode.js";
import { requireScales } from "../../tensor/formats/matrix-shape.js";
import type { GroupedFormat, NumberFormat, Parts, ScaledFormat } from "../../tensor/formats/number-format.js";
import { scaleBlocks } from "../../tensor/formats/scaled-floats.js";
import { bad, type Layout, type PackedWeight, type Settings } from "./layout.js";

const CODES = ["F8_E4M3", "F8_E5M2", "I8"];
const SCALES = ["F64", "F32", "F16", "BF16", "F8_E8M0", "U8"];

/** Axes of a scale as those of its weight: one number for all, one a row, one for each matrix of a stack. */
function alignedScale(scale: readonly number[], rank: number): number[] {
  if (scale.every((length) => length === 1)) return Array(rank).fill(1);
  return scale.length < rank ? [...scale, ...Array(rank - scale.length).fill(1)] : [...scale];
}

/** Rows and columns that share a scale, as config.json says. @throws FormatError `packed` */
function blockSize({ weight_block_size: size, config_groups: groups }: Settings): [number, number] | undefined {
  const structures = Object.values((groups ?? {}) as Record<string, { weights?: { block_structure?: unknown } } | null>)
    .map((group) => group?.weights?.block_structure);
  const said = size ?? structures.find((each) => Array.isArray(each)) ?? undefined;
  if (said === undefined) return undefined;
  const isPair = Array.isArray(said) && said.length === 2
    && said.every((length) => Number.isInteger(length) && length >= 1);
  if (!isPair)
    throw bad(`quantization_config.weight_block_size is ${JSON.stringify(said)}`, "two whole numbers from 1");
  return said as [number, number];
}

/** Codes with scales that are multiplied by, in any block that divides the matrix. */
function scaled(tensors: Parts<TensorInfo>, key: string, settings: Settings, code = ""): PackedWeight {
  const { shape, dtype: codes } = tensors[code], { shape: stored, dtype } = tensors[key];
  const fail = (accepted: string) =>
    bad(`the codes are ${codes} [${shape}] and ${key} is ${dtype} [${stored}]`, accepted);
  if (shape.length < 2 || !CODES.includes(codes) || !SCALES.includes(dtype))
    throw fail("a matrix of F8_E4M3, F8_E5M2 or I8 with float scales");
  const scale = alignedScale(stored, shape.length), said = blockSize(settings);
  const asked = key !== "_scale" ? said ?? [128, 128] : said;
  // the last two axes may have blocks; axes before them have one scale for all, or one each
  const lengths = shape.map((length, axis) => {
    if (scale[axis] === 1) return Math.max(1, length);
    if (scale[axis] === length) return 1;
    const block = axis < shape.length - 2 ? undefined : asked?.[axis - shape.length + 2] ?? length / scale[axis];
    if (block === undefined || !Number.isInteger(block) || Math.ceil(length / block) !== scale[axis])
      throw fail(`one scale for the tensor, a row, or a block${asked ? ` of ${asked.join(" x ")}` : ""}`);
    return block;
  });
  if (scale.length !== shape.length) throw fail("one scale for the tensor, a row or a block");
  const [height, width] = lengths.slice(-2), [rows, columns] = shape.slice(-2);
  const matrices = shape.length > 2;
  const zeros = tensors._zero_point;
  if (zeros
    && (codes !== "I8" || zeros.dtype !== "I8" || alignedScale(zeros.shape, shape.length).join() !== scale.join()))
    throw bad(`_zero_point is ${zeros.dtype} [${zeros.shape}]`, `I8 [${stored}]`);
  const share = (length: number, all: number) => (length >= all ? 0 : length);
  const format: NumberFormat = codes === "I8" && (width === 1 || height === 1 || scale.every((length) => length === 1))
    ? { kind: "grouped", bits: 8, group: share(width, columns), zero: zeros ? "integer" : "none",
      scales: (["F16", "BF16"].includes(dtype) ? dtype : "F32") as GroupedFormat["scales"] }
    : { kind: "fp8-blocks", rows: share(height, rows), columns: share(width, columns),
      codes: (codes === "I8" ? "F8_E4M3" : codes) as ScaledFormat["codes"] };
  const whole = scale[0] === 1;
  return {
    shape: [...shape],
    format,
    byRows: { unit: matrices || whole ? 1 : height,
      parts: whole ? [code] : [code, key, ...(zeros ? ["_zero_point"] : [])] },
    values(bytes, part) {
      const values = decode(bytes[code], codes);
      const scales = decode(bytes[key], dtype === "U8" ? "F8_E8M0" : dtype);
      requireScales(scales);
      const across = Math.ceil(columns / width), down = Math.ceil((matrices ? rows : part[0]) / height);
      const count = matrices ? values.length / (rows * columns) : 1, each = values.length / count;
      const axes = scale.slice(0, -2).every((length) => length === 1) ? 0 : across * down;
      const offsets = zeros && decode(bytes._zero_point, "I8");
      for (let at = 0; at < count; at++) {
        const own = values.subarray(at * each, (at + 1) * each);
        if (offsets)
          own.forEach((code, index) =>
            own[index] = code - offsets[
              at * axes
              + Math.floor(Math.floor(index / columns) / height) * across + Math.floor(index % columns / width)
            ]
          );
        scaleBlocks(own, columns, scales.subarray(at * axes), [height, width]);
      }
      return values;
    },
  };
}

/** Beside scaled codes lie scales of activations, which the weights alone do not need. */
const BESIDE = ["^.input_scale", "^.output_scale", "^.activation_scale", "^.input_zero_point", "_shape"];

/** compressed-tensors, FBGEMM, ModelOpt: `X_scale` for a row, the tensor or a block, `X_zero_point` with integers. */
export const rowScaled: Layout = {
  name: "codes with scales",
  key: "_scale",
  weight: "",
  parts: ["", "_scale"],
  optional: ["_zero_point"],
  beside: BESIDE,
  accepts: (tensors) => CODES.includes(tensors[""].dtype),
  describe: (tensors, settings) => scaled(tensors, "_scale", settings),
};

/** DeepSeek-V3 and transformers' fine-grained fp8: `X_scale_inv` for each block, also multiplied by. */
export const blockScaled: Layout = {
  ...rowScaled,
  name: "fp8 with a scale per block",
  key: "_scale_inv",
  parts: ["", "_scale_inv"],
  optional: [],
  describe: (tensors, settings) => scaled(tensors, "_scale_inv", settings),
};

/** DeepSeek's own names: `X.scale` beside `X.weight`. */
export const scaleBeside: Layout = {
  ...blockScaled,
  key: ".scale",
  weight: ".weight",
  parts: [".weight", ".scale"],
  accepts: (tensors) => CODES.includes(tensors[".weight"].dtype),
  describe: (tensors, settings) => scaled(tensors, ".scale", settings, ".weight"),
};
