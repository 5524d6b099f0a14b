import { GGMLQuantizationType, gguf, type GGUFTensorInfo } from "@huggingface/gguf";
import { FormatError, MoeError } from "../../errors.js";
import type { TensorInfo } from "../../model/weight-source.js";
import { dtypeSizeBytes } from "../../tensor/formats/dtype-size.js";
import type { Dtype } from "../../tensor/formats/dtype.js";
import { decode } from "../../tensor/formats/index.js";
import { ByteFile } from "../byte-file.js";
import type { Range, TensorStore } from "../tensor-store.js";
import { blockFormats, decodeBlocks } from "./ggml-blocks.js";

/** A GGUF file as a store, with its key-value pairs, e.g. config["olmoe.expert_count"]. */
export interface GgufStore extends TensorStore {
  readonly config: Readonly<Record<string, unknown>>;
}

interface Entry extends TensorInfo {
  start: number;
  rowBytes: number;
}

/**
 * Opens a GGUF file for reading. Shapes are in the order of safetensors: ggml's first dimension is the last here.
 *
 * @throws FormatError `gguf` for a file that does not parse, or has a quantisation that is not decoded
 */
export async function openGguf(path: string): Promise<GgufStore> {
  const file = await ByteFile.open(path);
  try {
    const { metadata, tensorInfos, tensorDataOffset, littleEndian } = await parse(path);
    if (!littleEndian) throw refuse(path, "the file is big-endian", "little-endian");
    const entries = new Map<string, Entry>();
    for (const info of tensorInfos) {
      if (entries.has(info.name))
        throw refuse(path, `tensor ${JSON.stringify(info.name)} occurs twice`, "each name once");
      entries.set(info.name, entryOf(info, Number(tensorDataOffset), file));
    }
    return storeOf(file, entries, metadata as Record<string, unknown>);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function parse(path: string): ReturnType<typeof gguf> {
  try {
    return await gguf(path, { allowLocalFile: true });
  } catch (cause) {
    throw refuse(path, (cause as Error).message, "a GGUF file of version 1 to 3", cause);
  }
}

function entryOf({ name, shape, dtype: type, offset }: GGUFTensorInfo, dataStart: number, file: ByteFile): Entry {
  const where = `tensor ${JSON.stringify(name)}`;
  const dtype = GGMLQuantizationType[type] as Dtype;
  const block = Object.hasOwn(blockFormats, dtype) ? blockFormats[dtype] : undefined;
  const elementBytes = dtypeSizeBytes[dtype];
  if (!block && elementBytes === undefined) {
    const accepted = `F32, F16, BF16, ${Object.keys(blockFormats).join(", ")}`;
    throw refuse(file.path, `${where} is stored as ${dtype ?? `type ${type}`}`, accepted);
  }
  const lengths = shape.map(Number).reverse();
  const count = lengths.reduce((product, length) => product * length, 1);
  const inner = lengths.at(-1) ?? 1;
  const sizeBytes = block ? (count / block.values) * block.bytes : count * elementBytes!;
  if (!Number.isSafeInteger(sizeBytes) || lengths.some((length) => length < 0)
    || (block && inner % block.values !== 0)) {
    throw refuse(file.path, `${where} has shape [${lengths}] of ${dtype}`,
      block ? `rows of a multiple of ${block.values}` : "a size below 2^53 bytes");
  }
  const start = dataStart + Number(offset);
  if (start + sizeBytes > file.sizeBytes)
    throw refuse(file.path, `${where} ends at byte ${start + sizeBytes} and the file after ${file.sizeBytes}`,
      "tensors inside the file");
  return { dtype, shape: lengths, sizeBytes, start, rowBytes: lengths[0] ? sizeBytes / lengths[0] : 0 };
}

function storeOf(file: ByteFile, entries: ReadonlyMap<string, Entry>, config: Record<string, unknown>): GgufStore {
  const entry = (name: string) => {
    const found = entries.get(name);
    if (!found)
      throw new MoeError("unknown-tensor",
        `read: tensor "${name}" is not in ${file.path}; accepted are its ${entries.size} names. Correct the name.`);
    return found;
  };
  const bytes = async (name: string, range?: Range) => {
    const { start, sizeBytes } = entry(name);
    const { start: from, end } = range ?? { start: 0, end: sizeBytes };
    if (!(0 <= from && from <= end && end <= sizeBytes))
      throw new MoeError("range",
        `read: bytes ${from} to ${end} of tensor "${name}"; accepted is 0 to ${sizeBytes}. Correct the range.`);
    return file.read(start + from, start + end);
  };
  return {
    config,
    metadata: {},
    names: () => entries.keys(),
    has: (name) => entries.has(name),
    info: (name) => {
      const { dtype, shape, sizeBytes } = entry(name);
      return { dtype, shape: [...shape], sizeBytes };
    },
    bytes,
    async values(name, rows) {
      const { dtype, rowBytes } = entry(name);
      const part = await bytes(name, rows && { start: rows.start * rowBytes, end: rows.end * rowBytes });
      return Object.hasOwn(blockFormats, dtype) ? decodeBlocks(part, blockFormats[dtype]) : decode(part, dtype);
    },
    close: () => file.close(),
  };
}

function refuse(path: string, seen: string, accepted: string, cause?: unknown): FormatError {
  return new FormatError("gguf",
    `load: ${seen}, in ${path}; accepted is ${accepted}. Fetch the file again, or another quantisation.`, { cause });
}
