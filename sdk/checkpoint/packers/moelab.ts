import { codecOf } from "../../tensor/formats/codecs.js";
import type { NumberFormat } from "../../tensor/formats/number-format.js";
import { integers, type Packer } from "./packer.js";

/**
 * moelab's own: the parts of the codec behind the weight's name, and its shape; config.json's `moelab.formats` has the
 * format of each weight by its name, or by a beginning of names that ends with "."; the longest counts.
 */
export const moelab: Packer = {
  weight: "",
  holds: "every number format",
  tensors: (format, shape) => {
    const parts = codecOf(format).parts(format, shape);
    return { ...Object.fromEntries(Object.entries(parts).map(([part, tensor]) => [`.${part}`, tensor])),
      ".shape": { dtype: "I64", shape: [shape.length] } };
  },
  bytes: (parts, _, shape) => ({
    ...Object.fromEntries(Object.entries(parts).map(([part, bytes]) => [`.${part}`, bytes])),
    ".shape": integers(...shape),
  }),
  config(config, packed) {
    const formats: Record<string, NumberFormat> = {};
    const all = new Map<string, number>();
    for (const { format } of packed) all.set(key(format), (all.get(key(format)) ?? 0) + 1);
    const [common] = [...all].sort((a, b) => b[1] - a[1])[0];
    formats[""] = JSON.parse(common) as NumberFormat;
    for (const { name, format } of packed) if (key(format) !== common) formats[name] = format;
    const own = (config.moelab ?? { version: 2, layers: {} }) as object;
    return { moelab: { ...own, formats } };
  },
};

const key = (format: NumberFormat) => JSON.stringify(format);
