import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { openTensors } from "../checkpoint/safetensors.js";
import { writeTensors } from "../checkpoint/write-safetensors.js";
import { FormatError, MoeError } from "../errors.js";
import type { WeightSource } from "../model/weight-source.js";
import { decodeGaps, encodeGaps, golombParameter } from "../tensor/formats/golomb.js";
import { decode, encode } from "../tensor/formats/index.js";
import type { Update } from "./update.js";

const FORMAT = "moelab ternary update 1";

const size = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

function layoutHash(layout: Update["layout"]): string {
  return createHash("sha256").update(layout.map(({ name, shape }) => `${name} ${shape.join("x")}`).join("\n")).digest(
    "hex",
  );
}

/**
 * Writes an update of one magnitude: Golomb-coded places and signs of the whole vector, beside one float32 number.
 *
 * @returns bytes of codes and number; the file has some 400 more, which say how to read them
 * @throws MoeError `bad-update` for an update of several magnitudes, `file-exists`, `disk-full`
 */
export async function saveUpdate(
  { by, scale, layout, tensors, kept, parameters }: Update,
  path: string,
): Promise<number> {
  if (scale === undefined)
    throw new MoeError("bad-update",
      `update: an update by "${by}" has many magnitudes; accepted are those of one, by compeft or stc.`);
  if (existsSync(path))
    throw new MoeError("file-exists", `update: ${path} is already there; accepted is a new name. Give another.`);
  const positions = new Float64Array(kept), signs = new Uint8Array(kept);
  let at = 0, offset = 0;
  for (const { name, shape } of layout) {
    tensors.get(name)?.values.forEach((value, i) => {
      if (value === 0) return;
      positions[at] = offset + i;
      signs[at++] = value < 0 ? 1 : 0;
    });
    offset += size(shape);
  }
  const m = golombParameter(kept / parameters), codes = encodeGaps(positions, signs, m);
  await writeTensors(path, [{ name: "codes", dtype: "U8", shape: [codes.length] }, { name: "scale", dtype: "F32",
    shape: [1] }], [{ name: "codes", bytes: codes }, { name: "scale", bytes: encode(Float32Array.of(scale), "F32") }], {
    metadata: { format: FORMAT, by, m: String(m), kept: String(kept), layout: layoutHash(layout) },
  });
  return codes.length + 4;
}

/**
 * Reads an update for a model: the same numbers that were written.
 *
 * @param base weights of the model that it belongs to
 * @throws FormatError `bad-update`, `golomb`, `safetensors`
 */
export async function loadUpdate(path: string, base: Pick<WeightSource, "names" | "info">): Promise<Update> {
  const store = await openTensors(path);
  try {
    const { format, by = "compeft", m: said, kept: many, layout: hash } = store.metadata;
    const refuse = (seen: string) =>
      new FormatError("bad-update",
        `update: ${seen}, in ${path}; accepted is an update that moelab wrote, and its base.`);
    const m = Number(said), kept = Number(many);
    if (format !== FORMAT || !Number.isInteger(m) || m < 1 || !Number.isInteger(kept) || kept < 0 || !store.has("codes")
      || !store.has("scale"))
      throw refuse(`the format is ${JSON.stringify(format)}`);
    const layout = [...base.names()].sort().map((name) => ({ name, shape: base.info(name).shape }));
    if (layoutHash(layout) !== hash) throw refuse("names and shapes of the base are others than those it was made for");
    const parameters = layout.reduce((sum, { shape }) => sum + size(shape), 0);
    const codes = await store.bytes("codes"), [scale] = decode(await store.bytes("scale"), "F32");
    if (!Number.isFinite(scale) || scale < 0) throw refuse(`scale is ${scale}`);
    const { positions, signs } = decodeGaps(codes, kept, m, parameters);
    const tensors = new Map<string, { shape: number[]; values: Float32Array }>();
    let at = 0, offset = 0;
    for (const { name, shape } of layout) {
      const end = offset + size(shape);
      if (at < kept && positions[at] < end) {
        const values = new Float32Array(size(shape));
        for (; at < kept && positions[at] < end; at++) values[positions[at] - offset] = signs[at] ? -scale : scale;
        tensors.set(name, { shape, values });
      }
      offset = end;
    }
    return { by: `${by} of ${basename(path)}`, parameters, kept, scale, sizeBytes: codes.length + 4, tensors, layout };
  } finally {
    await store.close();
  }
}
