import { MoeError } from "../../errors.js";
import { codecOf } from "../../tensor/formats/codecs.js";
import { decode } from "../../tensor/formats/decode.js";
import { dtypeSizeBytes } from "../../tensor/formats/dtype-size.js";
import type { NumberFormat, Parts } from "../../tensor/formats/number-format.js";
import { bad, type Layout, requireShape } from "./layout.js";

const PARTS = [".codes", ".scales", ".zeros", ".order", ".inputs", ".mask", ".values", ".global"];

/** What moelab writes: the parts of a codec; `moelab.formats` of config.json says which (`packers/moelab.ts`). */
export const moelab: Layout = {
  name: "moelab's own packing",
  key: ".shape",
  weight: "",
  parts: [".shape"],
  optional: PARTS,
  accepts: (_, { formats }) => formats !== undefined,
  async describe(tensors, { formats }, read, name) {
    const known = formats as Record<string, NumberFormat>;
    const longest = Object.keys(known).filter((begins) => name.startsWith(begins)).reduce<string | undefined>(
      (best, each) => (each.length >= (best?.length ?? 0) ? each : best),
      undefined,
    );
    if (longest === undefined) throw bad("config.json's moelab.formats does not say its format", "a format for it");
    requireShape(tensors, ".shape", ["I64"], [-1]);
    if (tensors[".shape"].sizeBytes > 64) throw bad(`.shape is [${tensors[".shape"].shape}]`, "at most eight axes");
    const shape = [...decode(await read(".shape"), "I64")];
    const { format, parts } = checked(known[longest], tensors, shape);
    for (const [part, { dtype, shape: lengths }] of Object.entries(parts)) {
      if (!tensors[`.${part}`])
        throw bad(`.${part} is not there`, Object.keys(parts).map((each) => `.${each}`).join(", "));
      requireShape(tensors, `.${part}`, [dtype], lengths);
    }
    const own = (bytes: Parts<Uint8Array>) =>
      Object.fromEntries(Object.keys(parts).map((part) => [part, bytes[`.${part}`]]));
    return { shape, format, values: (bytes, whole) => codecOf(format).decode(own(bytes), whole, format), parts: own };
  },
};

/** Sizes that only the numbers decide are those of the tensors. */
function settled(format: NumberFormat, tensors: Parameters<Layout["describe"]>[0]): NumberFormat {
  if (format.kind === "sparse" && !format.of && tensors[".values"])
    return { ...format, count: tensors[".values"].sizeBytes / dtypeSizeBytes[format.values]! };
  if (format.kind === "ternary" && format.positions === "golomb" && tensors[".codes"])
    return { ...format, bytes: tensors[".codes"].sizeBytes };
  return format;
}

/** A format of config.json for a weight, and its parts. @throws FormatError `packed` for one that is none */
function checked(said: NumberFormat, tensors: Parameters<Layout["describe"]>[0], shape: readonly number[]) {
  try {
    const format = settled(said, tensors);
    return { format, parts: codecOf(format).parts(format, shape) };
  } catch (error) {
    if (error instanceof MoeError) throw error;
    throw bad(`config.json's moelab.formats says ${JSON.stringify(said).slice(0, 200)}`, "a number format");
  }
}
