import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { openTensors } from "../checkpoint/safetensors.js";
import type { TensorStore } from "../checkpoint/tensor-store.js";
import { FormatError } from "../errors.js";
import type { Matrix } from "../tensor/linalg/index.js";
import { type AdapterConfig, rankAndScale, readAdapterConfig, targeted } from "./adapter-config.js";

/** What an adapter adds to one matrix: scale B A, for all its experts where it has some. */
export interface AdapterModule {
  /** [r, in]; of E experts [E r, in], rows of one expert together */
  a: Matrix;
  /** [out, r]; of E experts [out, r E], columns of one expert E apart */
  b: Matrix;
  rank: number;
  /** lora_alpha / r, or lora_alpha / sqrt(r) */
  scale: number;
  /** DoRA: length of each output's row, [out] */
  magnitude?: Float32Array;
  /** added to the output, times scale, [out] */
  bias?: Float32Array;
  /** the base's tensor is [V, d] where the adapter says [d, V]: a and b are turned */
  embedding?: true;
}

/** A LoRA adapter by the names of the base on disk. */
export interface Adapter {
  id: string;
  config: AdapterConfig;
  /** by tensor of the base, without ".weight" */
  modules: ReadonlyMap<string, AdapterModule>;
  /** tensors that replace one of the base */
  whole: ReadonlyMap<string, { shape: number[]; values: Float32Array }>;
  /** rows that replace rows of a tensor of the base */
  rows: ReadonlyMap<string, { at: number[]; values: Float32Array }>;
}

const FILE = "adapter_model.safetensors";
const PART = new RegExp(
  "^(?:base_model\\.model\\.)?(.*)\\.(lora_A|lora_B|lora_embedding_A|lora_embedding_B|"
    + "lora_magnitude_vector)(?:\\.(weight|bias))?$",
);
const TOKENS = /^(?:base_model\.model\.)?(.*)\.token_adapter\.trainable_tokens_delta$/;

/**
 * Reads a folder as peft saves it. Every tensor is accounted for and finite.
 *
 * @throws MoeError `no-adapter`, `no-checkpoint`; FormatError `bad-adapter`, `safetensors`
 * @example const adapter = await readAdapter("my-lora"); adapter.modules.get("model.layers.0.self_attn.q_proj")
 */
export async function readAdapter(folder: string): Promise<Adapter> {
  const config = await readAdapterConfig(folder);
  const store = await openTensors(join(folder, FILE));
  try {
    return await read(folder, config, store);
  } finally {
    await store.close();
  }
}

async function read(folder: string, config: AdapterConfig, store: TensorStore): Promise<Adapter> {
  const refuse = (seen: string, todo: string) =>
    new FormatError("bad-adapter", `adapt: ${seen}, in ${join(folder, FILE)}; ${todo}`);
  const finite = async (name: string): Promise<Float32Array> => {
    const values = await store.values(name);
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at >= 0)
      throw refuse(`${name} is ${values[at]} at ${at}`, "accepted are finite numbers. Train or convert it again.");
    return values;
  };
  const parts = new Map<string, Record<string, string>>();
  const whole = new Map<string, { shape: number[]; values: Float32Array }>();
  const rows = new Map<string, { at: number[]; values: Float32Array }>();
  for (const name of store.names()) {
    const part = PART.exec(name), tokens = TOKENS.exec(name);
    if (part) {
      const [, path, kind, end] = part;
      const own = parts.get(path) ?? {};
      own[end === "bias" ? "bias" : kind.replace("lora_", "").replace("embedding_", "e")] = name;
      parts.set(path, own);
    } else if (tokens) {
      const [, path] = tokens, { trainable_token_indices: said } = config;
      const at = Array.isArray(said) ? said : said?.[path] ?? said?.[path.slice(path.lastIndexOf(".") + 1)];
      const [count] = store.info(name).shape;
      if (!at || at.length !== count || !at.every((id) => Number.isInteger(id) && id >= 0))
        throw refuse(`${name} has ${count} rows, trainable_token_indices are ${JSON.stringify(at)?.slice(0, 80)}`,
          "accepted is one index per row. Save it again with peft.");
      rows.set(`${path}.weight`, { at, values: await finite(name) });
    } else if (!name.includes("lora_")) {
      whole.set(name.replace(/^base_model\.model\./, "").replace(/\.modules_to_save(\.default)?/, ""), {
        shape: store.info(name).shape,
        values: await finite(name),
      });
    } else throw refuse(`${name} is no part of a LoRA adapter`,
        "accepted are lora_A, lora_B and what belongs to them.");
  }
  const modules = new Map<string, AdapterModule>();
  for (const [path, own] of parts) modules.set(path, await moduleOf(path, own));
  const said = new Set(targeted(config, [...modules.keys()]));
  const stray = [...modules.keys()].find((path) => !said.has(path) && config.target_parameters.length === 0);
  if (stray)
    throw refuse(
      `${stray} has tensors, and target_modules ${JSON.stringify(config.target_modules).slice(0, 80)} do not `
        + "name it",
      "accepted are tensors of what is targeted. Check that configuration and tensors belong together.",
    );
  if (modules.size + whole.size + rows.size === 0)
    throw refuse("it has no tensor", "accepted is at least one. Save it again with peft.");
  return { id: basename(folder), config, modules, whole, rows };

  async function moduleOf(path: string, own: Record<string, string>): Promise<AdapterModule> {
    const [nameA, nameB] = [own.A ?? own.eA, own.B ?? own.eB];
    if (!nameA || !nameB)
      throw refuse(
        `${path} has ${nameA ? "lora_A and no lora_B" : nameB ? "lora_B and no lora_A" : Object.keys(own)[0]}`,
        "accepted are both. Save it again with peft.",
      );
    const [a, b] = [await matrixOf(nameA), await matrixOf(nameB)];
    const { rank, scale } = rankAndScale(config, path);
    if (a.rows !== b.columns || a.rows % rank !== 0 || (a.rows !== rank && config.target_parameters.length === 0))
      throw refuse(`${nameA} is [${a.rows}, ${a.columns}], ${nameB} [${b.rows}, ${b.columns}] and the rank ${rank}`,
        "accepted are A [r, in] and B [out, r]. Check that configuration and tensors belong together.");
    if (config.use_dora !== (own.magnitude_vector !== undefined))
      throw refuse(
        `${path} has ${own.magnitude_vector ? "a" : "no"} lora_magnitude_vector and use_dora is ${config.use_dora}`,
        "accepted is one where use_dora is true. Check that configuration and tensors belong together.",
      );
    const [magnitude, bias] = [own.magnitude_vector && await finite(own.magnitude_vector),
      own.bias && await finite(own.bias)];
    for (const [name, vector] of [[own.magnitude_vector, magnitude], [own.bias, bias]] as const)
      if (vector && vector.length !== b.rows)
        throw refuse(`${name} has ${vector.length} numbers, lora_B ${b.rows} outputs`, "accepted is one per output.");
    const module = { rank, scale, ...(magnitude && { magnitude }), ...(bias && { bias }) };
    return own.eA ? { ...module, a: turned(b), b: turned(a), embedding: true } : { ...module, a, b };
  }

  async function matrixOf(name: string): Promise<Matrix> {
    const { shape } = store.info(name);
    if (shape.length !== 2) throw refuse(`${name} has shape [${shape}]`, "accepted is a matrix.");
    return { rows: shape[0], columns: shape[1], data: await finite(name) };
  }
}

/** The transposed matrix. */
export function turned({ rows, columns, data }: Matrix): Matrix {
  const flat = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) flat[j * rows + i] = data[i * columns + j];
  return { rows: columns, columns: rows, data: flat };
}

/** B A of a module without its scale: [out, in], of E experts [E, out, in]. */
export function productOf({ a, b, rank }: AdapterModule): { shape: number[]; values: Float32Array } {
  const experts = a.rows / rank, [out, inner] = [b.rows, a.columns];
  const values = new Float32Array(experts * out * inner), row = new Float64Array(inner);
  for (let e = 0; e < experts; e++)
    for (let o = 0; o < out; o++) {
      row.fill(0);
      for (let k = 0; k < rank; k++) {
        const factor = b.data[o * b.columns + k * experts + e], from = (e * rank + k) * inner;
        for (let i = 0; i < inner; i++) row[i] += factor * a.data[from + i];
      }
      values.set(row, (e * out + o) * inner);
    }
  return { shape: experts === 1 ? [out, inner] : [experts, out, inner], values };
}

/** What tells an adapter from others: sha256 over its numbers. */
export function digestOf({ modules, whole, rows }: Adapter): string {
  const hash = createHash("sha256");
  const add = (name: string, ...numbers: (ArrayLike<number> | undefined)[]) => {
    hash.update(`${name} `);
    for (const values of numbers) if (values) hash.update(Buffer.from(Float64Array.from(values).buffer));
  };
  for (const [name, { a, b, scale, magnitude, bias }] of modules) add(name, a.data, b.data, [scale], magnitude, bias);
  for (const [name, { values }] of whole) add(name, values);
  for (const [name, { at, values }] of rows) add(name, at, values);
  return hash.digest("hex");
}
