import { unpackBits } from "../../tensor/formats/bits.js";
import { decode } from "../../tensor/formats/decode.js";
import { tableValues } from "../../tensor/formats/float-tables.js";
import { requireScales } from "../../tensor/formats/matrix-shape.js";
import { bad, type Layout, requireShape } from "./layout.js";

const STATES = { nf4: ".quant_state.bitsandbytes__nf4", fp4: ".quant_state.bitsandbytes__fp4" } as const;
/** The JSON of a matrix has some 170 bytes. */
const MAX_STATE_BYTES = 4096;

interface State {
  blocksize: number;
  shape: number[];
  nested_blocksize?: number;
  nested_offset?: number;
}

function stateOf(bytes: Uint8Array): State {
  let state: Partial<State> | null | undefined;
  try {
    state = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    state = undefined;
  }
  const { blocksize = 0, shape } = state ?? {};
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;
  if (!isCount(blocksize) || !Array.isArray(shape) || shape.length === 0 || !shape.every(isCount)
    || !Number.isSafeInteger(shape.reduce((a, b) => a * b, 1)))
    throw bad("the quantisation state does not say blocksize and shape", "JSON as bitsandbytes writes it");
  return state as State;
}

/**
 * bitsandbytes' 4 bits: codes into a table of 16 numbers, the HIGH half of a byte first, blocks over the whole matrix;
 * `absmax` of a block may itself be 8-bit codes.
 */
export const bitsandbytes4: Layout = {
  name: "bitsandbytes, 4 bits",
  key: ".absmax",
  weight: "",
  parts: ["", ".absmax", ".quant_map"],
  optional: [".nested_absmax", ".nested_quant_map", ...Object.values(STATES)],
  async describe(tensors, _, read) {
    const kind = tensors[STATES.nf4] ? "nf4" : "fp4";
    if (!tensors[STATES[kind]] || tensors[STATES[kind]].sizeBytes > MAX_STATE_BYTES)
      throw bad("there is no quantisation state beside it", `a tensor that ends with ${STATES.nf4}`);
    const { blocksize, shape, nested_blocksize: outer = 256, nested_offset: offset = 0 } = stateOf(
      await read(STATES[kind]),
    );
    const count = shape.reduce((product, length) => product * length, 1), blocks = Math.ceil(count / blocksize);
    const nested = tensors[".absmax"].dtype === "U8";
    requireShape(tensors, ".quant_map", ["F32"], [16]);
    requireShape(tensors, ".absmax", ["F32", "U8"], [blocks]);
    if (tensors[""].sizeBytes !== Math.ceil(count / 2))
      throw bad(`the codes have ${tensors[""].sizeBytes} bytes`, `${Math.ceil(count / 2)} for [${shape}]`);
    if (nested && !(tensors[".nested_absmax"] && tensors[".nested_quant_map"] && outer >= 1 && Number.isFinite(offset)))
      throw bad("absmax is U8 without what it stands for", ".nested_absmax, .nested_quant_map and nested_offset");
    if (nested) {
      requireShape(tensors, ".nested_quant_map", ["F32"], [256]);
      requireShape(tensors, ".nested_absmax", ["F32"], [Math.ceil(blocks / outer)]);
    }
    return {
      shape,
      format: { kind, block: blocksize },
      values(bytes) {
        const codes = unpackBits(bytes[""].map((byte) => (byte >> 4) | (byte << 4)), 4, count);
        const number = (part: string) => {
          const values = decode(bytes[part], "F32");
          requireScales(values, part);
          return values;
        };
        const map = nested ? number(".nested_quant_map") : undefined,
          far = nested ? number(".nested_absmax") : undefined;
        const scales = nested
          ? Float32Array.from(bytes[".absmax"], (code, at) =>
            Math.fround(map![code] * far![Math.floor(at / outer)]) + offset)
          : number(".absmax");
        return tableValues(codes, number(".quant_map"), scales, blocksize);
      },
    };
  },
};

/** bitsandbytes' 8 bits: I8 codes, `SCB` the largest magnitude of each row, which is code 127. */
export const bitsandbytes8: Layout = {
  name: "bitsandbytes, 8 bits",
  key: ".SCB",
  weight: ".weight",
  parts: [".weight", ".SCB"],
  optional: [".weight_format"],
  async describe(tensors, _, read) {
    requireShape(tensors, ".weight", ["I8"], [-1, -1]);
    const { shape } = tensors[".weight"];
    requireShape(tensors, ".SCB", ["F32"], [shape[0]]);
    const form = tensors[".weight_format"] && (await read(".weight_format"))[0];
    if (form) throw bad(`.weight_format is ${form}`, "0, rows one after the other");
    return {
      shape: [...shape],
      format: { kind: "grouped", bits: 8, group: 0, zero: "none", scales: "F32" },
      byRows: { unit: 1, parts: [".weight", ".SCB"] },
      values(bytes, [, columns]) {
        const scales = decode(bytes[".SCB"], "F32");
        requireScales(scales);
        return decode(bytes[".weight"], "I8").map((code, at) => code * scales[Math.floor(at / columns)] / 127);
      },
    };
  },
};
