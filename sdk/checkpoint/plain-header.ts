import { dtypeSizeBytes } from "../tensor/formats/dtype-size.js";
import type { Dtype } from "../tensor/formats/dtype.js";
import { Literal, viewOf } from "./literal.js";
import type { NameKinds } from "./name-kinds.js";
import { joinGroups, type TensorGroup } from "./tensor-summary.js";

/** A tensor as it passes by. */
export interface PlainEntry {
  /** see `NameKinds` */
  key: number;
  /** where the name stands in the header */
  nameStart: number;
  nameEnd: number;
  /** position after the header */
  start: number;
  dtype: Dtype;
  /** one array for all tensors alike */
  lengths: readonly number[];
  sizeBytes: number;
}

/** What tensors of one kind of name and of one dtype and shape have in common, and how many there are. */
interface Alike extends Pick<TensorGroup, "part" | "dtype" | "shape" | "tensors"> {
  lengths: readonly number[];
  /** of one of them */
  elements: number;
  sizeBytes: number;
  /** the bytes from the name's closing quote to data_offsets */
  text: Literal;
}

const MAX_RANK = 64, MAX_DIGITS = 15, MAX_SHAPES = 64;
const QUOTE = 0x22, COMMA = 0x2c, ZERO = 0x30, BRACKET = 0x5d, BRACE = 0x7d;
const METADATA = "__metadata__";
const HEAD = /^":\{"dtype":"(\w+)","shape":\[((?:\d+(?:,\d+)*)?)\],"data_offsets":\[/;
/** 64 dimensions of 16 digits, and the rest */
const MAX_HEAD = 1200;

/**
 * Walks safetensors headers as their writers write them: no space, dtype, shape, data_offsets, tensors in the order of
 * their bytes and nothing between them; and counts what passes by. A tensor is compared with the one of its kind before
 * it, so that no string and no object is made.
 */
export class PlainHeaders {
  /** by kind of name, the last one first */
  private readonly alike: Alike[][] = [];
  /** the number that `scanCount` read last */
  private count = 0;
  private readonly entry: PlainEntry = { key: 0, nameStart: 0, nameEnd: 0, start: 0, dtype: "F32", lengths: [],
    sizeBytes: 0 };
  /** `__metadata__` of all headers together */
  readonly metadata: Record<string, string> = {};

  constructor(private readonly names: NameKinds) {}

  /**
   * @param header the JSON, without the 8 bytes of its length
   * @param dataBytes of the file after the header
   * @param visit called with each tensor, the same object each time; false stops
   * @returns false for any other header: `parseHeader` reads it, or says what is wrong
   */
  scan(header: Uint8Array, dataBytes: number, visit: (entry: PlainEntry) => boolean): boolean {
    const { entry } = this, view = viewOf(header);
    let at = 0, covered = 0, metadata = 0;
    if (header[at++] !== 0x7b) return false;
    while (header[at] !== BRACE) {
      if (at > 1 && header[at++] !== COMMA) return false;
      if (header[at++] !== QUOTE) return false;
      entry.nameStart = at;
      entry.nameEnd = at = this.names.read(header, at);
      if (at < 0) return false;
      if (this.names.part(this.names.kind) === METADATA) {
        at = metadata++ === 0 ? this.scanTexts(header, at) : -1;
        if (at < 0) return false;
        continue;
      }
      const tensor = this.tensorOf(header, view, at);
      if (!tensor) return false;
      const end = covered + tensor.sizeBytes;
      at = this.scanOffsets(header, at + tensor.text.length, covered, end);
      if (at < 0 || end > dataBytes) return false;
      entry.key = this.names.key;
      entry.start = covered;
      entry.dtype = tensor.dtype;
      entry.lengths = tensor.lengths;
      entry.sizeBytes = tensor.sizeBytes;
      if (!visit(entry)) return false;
      tensor.tensors++;
      covered = end;
    }
    while (++at < header.length) if (header[at] !== 0x20) return false;
    return covered === dataBytes;
  }

  /** What was counted, by name and dtype. */
  groups(): TensorGroup[] {
    return joinGroups(
      this.alike.flatMap((kind) => kind ?? []).map(({ tensors, elements, sizeBytes, ...alike }) => ({ ...alike, tensors,
        elements: tensors * elements, sizeBytes: tensors * sizeBytes })
      ),
    );
  }

  /** Dtype and shape after a name: most often those of the last of its kind. */
  private tensorOf(header: Uint8Array, view: DataView, at: number): Alike | undefined {
    const { kind } = this.names;
    const known = (this.alike[kind] ??= []);
    const found = known.findIndex(({ text }) => text.isAt(view, at));
    if (found === 0) return known[0];
    const tensor = found > 0 ? known.splice(found, 1)[0] : parse(header, at, this.names.part(kind));
    if (!tensor || known.length === MAX_SHAPES) return undefined;
    known.unshift(tensor);
    return tensor;
  }

  /** `start,end]}`; returns where it ends, -1 unless these are the numbers. */
  private scanOffsets(bytes: Uint8Array, at: number, start: number, end: number): number {
    at = this.scanCount(bytes, at);
    if (at < 0 || this.count !== start || bytes[at] !== COMMA) return -1;
    at = this.scanCount(bytes, at + 1);
    return at >= 0 && this.count === end && bytes[at] === BRACKET && bytes[at + 1] === BRACE ? at + 2 : -1;
  }

  /** `":{"key":"value",…}` with plain texts; returns where it ends. */
  private scanTexts(bytes: Uint8Array, start: number): number {
    const end = bytes.indexOf(BRACE, start);
    const [, pairs] = /^":\{(".*)$/.exec(text(bytes, start, end)) ?? [];
    if (pairs === undefined) return -1;
    const seen = new Set<string>();
    for (const pair of pairs.split(",")) {
      const [, key, value] = /^"([\w.]*)":"([\w. :/-]*)"$/.exec(pair) ?? [];
      if (key === undefined || seen.has(key) || key === "__proto__") return -1;
      seen.add(key);
      this.metadata[key] = value;
    }
    return end + 1;
  }

  /** Digits as JSON has them; returns where they end, -1 for anything else. */
  private scanCount(bytes: Uint8Array, start: number): number {
    let at = start, count = 0;
    for (let digit = bytes[at] - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at] - ZERO) count = count * 10 + digit;
    const digits = at - start;
    this.count = count;
    return digits === 0 || digits > MAX_DIGITS || (digits > 1 && bytes[start] === ZERO) ? -1 : at;
  }
}

function parse(header: Uint8Array, at: number, part: string): Alike | undefined {
  const [whole, dtype, lengths] = HEAD.exec(text(header, at, at + MAX_HEAD)) ?? [];
  const size = whole !== undefined && Object.hasOwn(dtypeSizeBytes, dtype) ? dtypeSizeBytes[dtype as Dtype] : undefined;
  if (whole === undefined || size === undefined) return undefined;
  const shape = lengths === "" ? [] : lengths.split(",");
  if (shape.length > MAX_RANK || shape.some((length) => length.length > MAX_DIGITS || /^0\d/.test(length)))
    return undefined;
  const elements = shape.reduce((product, length) => product * Number(length), 1);
  if (!Number.isSafeInteger(elements * size)) return undefined;
  return { part, dtype: dtype as Dtype, shape: shape.join(" x ") || "scalar", lengths: shape.map(Number), tensors: 0,
    elements, sizeBytes: elements * size, text: new Literal(header.subarray(at, at + whole.length)) };
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder("latin1").decode(bytes.subarray(start, end));
}
