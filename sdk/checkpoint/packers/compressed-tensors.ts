import { packBits, unpackBits } from "../../tensor/formats/bits.js";
import { groupsOf } from "../../tensor/formats/grouped.js";
import type { GroupedFormat, NumberFormat, Parts, SparseFormat } from "../../tensor/formats/number-format.js";
import { turned, words } from "../packed/words.js";
import { integers, moduleOf, type PackedEntry, type Packer } from "./packer.js";

const isHeld = (format: NumberFormat): format is GroupedFormat | SparseFormat =>
  (format.kind === "grouped" && format.bits >= 2 && format.zero !== "real" && !format.inputs)
  || (format.kind === "sparse" && format.of?.join() === "2,4");

/** Each row begins with a word of its own. */
function inWords(bytes: Uint8Array, rows: number): Uint8Array {
  const width = bytes.length / rows, wide = 4 * Math.ceil(width / 4), padded = new Uint8Array(rows * wide);
  for (let row = 0; row < rows; row++) padded.set(bytes.subarray(row * width, (row + 1) * width), row * wide);
  return padded;
}

/** compressed-tensors: integers as `pack-quantized`, 2:4 as `sparse-24-bitmask`. */
export const compressedTensors: Packer = {
  weight: ".weight",
  holds: "grouped integers of 2 to 8 bits with an integer zero or none, and 2:4 sparse numbers",
  tensors(format, shape): ReturnType<Packer["tensors"]> {
    if (!isHeld(format) || shape.length !== 2) return undefined;
    const [out, input] = shape;
    if (format.kind === "sparse")
      return { ".compressed": { dtype: format.values, shape: [out, input / 2] },
        ".bitmask": { dtype: "U8", shape: [out, Math.ceil(input / 8)] }, ".shape": { dtype: "I64", shape: [2, 1] } };
    const groups = groupsOf(format, input), wordsOf = (count: number) => Math.ceil(count * format.bits / 32);
    return {
      ".weight_packed": { dtype: "I32", shape: [out, wordsOf(input)] },
      ".weight_scale": { dtype: format.scales, shape: [out, groups] },
      ".weight_shape": { dtype: "I64", shape: [2] },
      ...(format.zero === "integer" && { ".weight_zero_point": { dtype: "I32", shape: [wordsOf(out), groups] } }),
      ...(format.order && { ".weight_g_idx": { dtype: "I32", shape: [input] } }),
    };
  },
  bytes(parts, format, shape): Parts<Uint8Array> {
    const [out, input] = shape;
    if (format.kind === "sparse")
      return { ".compressed": parts.values, ".bitmask": parts.mask, ".shape": integers(out, input) };
    const { bits, zero, order } = format as GroupedFormat, groups = groupsOf(format as GroupedFormat, input);
    // zeros lie along the outputs: a run of bits for each group, turned
    const zeros = () => {
      const along = turned(unpackBits(parts.zeros, bits, groups), groups);
      const runs = words(inWords(packBits(along, bits, out), groups));
      const columns = turned(runs, runs.length / groups);
      return new Uint8Array(columns.buffer, columns.byteOffset, columns.byteLength);
    };
    return { ".weight_packed": inWords(parts.codes, out), ".weight_scale": parts.scales,
      ".weight_shape": integers(out, input), ...(zero === "integer" && { ".weight_zero_point": zeros() }),
      ...(order && { ".weight_g_idx": parts.order }) };
  },
  config(_, packed, plain) {
    const ignore = plain.map(moduleOf);
    const groups = new Map<string, { weights: object; targets: string[] }>();
    for (const { name, format } of packed) {
      if (format.kind !== "grouped") continue;
      const { bits, group, zero, order } = format;
      const weights = { num_bits: bits, type: "int", symmetric: zero === "none", group_size: group || null,
        strategy: group ? "group" : "channel", dynamic: false, ...(order && { actorder: "group" }) };
      const key = JSON.stringify(weights);
      groups.set(key, { weights, targets: [...groups.get(key)?.targets ?? [], moduleOf(name)] });
    }
    const only = groups.size === 1;
    const sparse = packed.filter(({ format }) => format.kind === "sparse").map(({ name }) => moduleOf(name));
    const all = packed.length === sparse.length || sparse.length === 0;
    return {
      quantization_config: {
        quant_method: "compressed-tensors",
        quantization_status: "compressed",
        format: groups.size ? "pack-quantized" : "dense",
        kv_cache_scheme: null,
        global_compression_ratio: null,
        ignore: all ? ignore : [...ignore, ...sparse],
        config_groups: Object.fromEntries(
          [...groups.values()].map((
            { weights, targets },
            at,
          ) => [`group_${at}`, { targets: only ? ["Linear"] : targets, weights, input_activations: null,
            output_activations: null, format: "pack-quantized" }]
          ),
        ),
        ...(sparse.length && {
          sparsity_config: { format: "sparse-24-bitmask", sparsity_structure: "2:4", global_sparsity: 0.5,
            registry_requires_subclass: false, targets: all ? ["Linear"] : sparse,
            ignore: all ? ignore : [...ignore, ...packed.filter(isGrouped).map(({ name }) => moduleOf(name))] },
        }),
      },
    };
  },
};

const isGrouped = ({ format }: PackedEntry) => format.kind === "grouped";
