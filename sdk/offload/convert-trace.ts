import { basename } from "node:path";
import { FormatError, MoeError } from "../errors.js";
import { readText } from "../read-text.js";
import { readNpy } from "./npy.js";
import { loadTrace } from "./trace-file.js";
import { NO_EXPERT, type RoutingTrace, type TraceStep } from "./trace.js";

export interface ReadTraceOptions {
  /** experts of a layer; default one more than the largest that was chosen */
  experts?: number;
  /** of a file that has only choices by token: so many tokens at the start are one prompt; default 0, each a step */
  promptTokens?: number;
  /** bytes of one expert; default 1, so that bytes count experts */
  expertBytes?: Record<string, number>;
}

/** Choices of one token in one layer. */
type Row = readonly number[];
/** What a file says, before it is checked: tokens of each step by layer. */
interface Read {
  layerIds?: string[];
  steps: { seq: number; tokens: Row[][] }[];
}

const MAX_BYTES = 1 << 30;
const ACCEPTED = "NAME.trace.json; a router trace of Megatron-core (JSON lines with step, layer, top_indices); "
  + "routed_experts of vLLM (JSON or .npy, [tokens, layers, K]); a JSON line for each token and layer; "
  + "JSON with selections[token][layer]";

/**
 * Reads a routing trace of any of these: our own, Megatron-core's, vLLM's, one JSON line for each token and layer, or a
 * JSON list by token and layer.
 *
 * @throws MoeError `no-trace`; FormatError `bad-trace`
 * @example const trace = await readTrace("router_trace_rank0.jsonl", { experts: 64 })
 */
export async function readTrace(path: string, options: ReadTraceOptions = {}): Promise<RoutingTrace> {
  if (path.endsWith(".trace.json")) return loadTrace(path);
  const refuse: Refuse = (seen) =>
    new FormatError("bad-trace", `trace: ${seen}, in ${path}; accepted are ${ACCEPTED}.`);
  if (path.endsWith(".npy")) {
    const { shape, values } = await readNpy(path, refuse);
    if (shape.length !== 3) throw refuse(`the array is [${shape}]`);
    const [, L, K] = shape;
    const at = (t: number, l: number) => Array.from(values.subarray((t * L + l) * K, (t * L + l + 1) * K));
    const tokens = Array.from({ length: shape[0] }, (_, t) => Array.from({ length: L }, (_, l) => at(t, l)));
    return traceOf({ steps: stepsOf([], tokens, options, refuse) }, path, options, refuse);
  }
  const text = await readText(path, { verb: "trace", accepted: ACCEPTED, maxBytes: MAX_BYTES, code: "bad-trace" });
  if (text === undefined) throw new MoeError("no-trace", `trace: ${path} is not there; accepted are ${ACCEPTED}.`);
  return traceOf(readJson(text, options, refuse), path, options, refuse);
}

type Refuse = (seen: string) => Error;

function readJson(text: string, options: ReadTraceOptions, refuse: Refuse): Read {
  let whole: Record<string, unknown> | undefined;
  try {
    whole = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // several lines of JSON
  }
  if (whole === undefined || (typeof whole === "object" && whole !== null && "layer" in whole))
    return readLines(text, refuse);
  const first = (Array.isArray(whole.choices) ? whole.choices[0] : undefined) as Record<string, unknown> | undefined;
  const generated = whole.selections ?? whole.routed_experts ?? first?.routed_experts;
  if (generated === undefined) throw refuse(`it has ${Object.keys(whole ?? {}).slice(0, 8).join(", ") || "no keys"}`);
  return {
    steps: stepsOf(tokensOf(whole.prompt_routed_experts ?? [], refuse), tokensOf(generated, refuse), options, refuse),
  };
}

/** [tokens][layers][K] or, of one choice each, [tokens][layers] */
function tokensOf(value: unknown, refuse: Refuse): Row[][] {
  if (!Array.isArray(value)) throw refuse(`the choices are ${shown(value)}`);
  return value.map((token: unknown, at) => {
    if (!Array.isArray(token)) throw refuse(`token ${at} is ${shown(token)}`);
    return token.map((row: unknown) => rowOf(Array.isArray(row) ? row : [row], `token ${at}`, refuse));
  });
}

function rowOf(row: readonly unknown[], where: string, refuse: Refuse): Row {
  const bad = row.find((id) => !Number.isInteger(id) || (id as number) >= NO_EXPERT || (id as number) < -1);
  if (bad !== undefined) throw refuse(`${where} chooses ${shown(bad)}, not an expert from 0 to ${NO_EXPERT - 1}`);
  return row as Row;
}

/** A prompt is one step, every other token one of its own. */
function stepsOf(
  prompt: Row[][],
  rest: Row[][],
  { promptTokens = 0 }: ReadTraceOptions,
  refuse: Refuse,
): Read["steps"] {
  const all = [...prompt, ...rest], count = prompt.length || promptTokens;
  if (!Number.isInteger(promptTokens) || promptTokens < 0 || promptTokens > all.length)
    throw refuse(`promptTokens is ${promptTokens} of ${all.length} tokens`);
  return [...(count > 0 ? [all.slice(0, count)] : []), ...all.slice(count).map((token) => [token])].map((tokens) => ({
    seq: 0,
    tokens,
  }));
}

/** Names that writers give to the same thing. */
const KEYS = { layer: ["layer", "layer_id", "layer_idx"],
  token: ["token", "token_index", "token_idx", "position", "pos"],
  experts: ["top_indices", "experts", "topk_experts", "expert_ids", "topk_ids", "indices"],
  seq: ["seq", "sequence", "request_id", "batch_id"] };

/** Lines with all tokens of a step and layer (Megatron-core), or with one token of one layer. */
function readLines(text: string, refuse: Refuse): Read {
  const steps = new Map<string, { seq: number; layers: Map<number, Row[]> }>(), seqs = new Map<string, number>();
  const layers = new Set<number>();
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(line) as Record<string, unknown>;
    } catch {
      throw refuse(`line ${at + 1} is no JSON`);
    }
    const of = (names: readonly string[]) => names.map((name) => record[name]).find((value) => value !== undefined);
    // layers that predict further tokens run beside the model's own
    if (record.block !== undefined && record.block !== "decoder") continue;
    const layer = of(KEYS.layer), experts = of(KEYS.experts), name = String(of(KEYS.seq) ?? "");
    if (!Number.isInteger(layer) || !Array.isArray(experts))
      throw refuse(`line ${at + 1} has ${Object.keys(record).slice(0, 8).join(", ")}`);
    const rows = (Array.isArray(experts[0]) ? experts : [experts]) as unknown[][];
    const seq = seqs.get(name) ?? seqs.size;
    seqs.set(name, seq);
    layers.add(layer as number);
    const key = `${name} ${String(record.step ?? of(KEYS.token))} ${String(record.rank ?? 0)}`;
    const step = steps.get(key) ?? { seq, layers: new Map<number, Row[]>() };
    const there = step.layers.get(layer as number) ?? [];
    step.layers.set(layer as number, [...there, ...rows.map((row) => rowOf(row, `line ${at + 1}`, refuse))]);
    steps.set(key, step);
  }
  const order = [...layers].sort((a, b) => a - b);
  return {
    layerIds: order.map((layer) => `layers.${layer}`),
    steps: [...steps].map(([key, { seq, layers }]) => {
      const counts = order.map((layer) => layers.get(layer)?.length ?? 0);
      if (counts.some((count) => count !== counts[0]))
        throw refuse(`step "${key.trim()}" has ${counts.join(", ")} tokens in layers ${order.join(", ")}`);
      return { seq, tokens: Array.from({ length: counts[0] }, (_, t) => order.map((layer) => layers.get(layer)![t])) };
    }),
  };
}

function traceOf({ steps, layerIds }: Read, path: string, options: ReadTraceOptions, refuse: Refuse): RoutingTrace {
  const layers = steps[0]?.tokens[0]?.length ?? 0;
  let topK = 0, most = -1;
  for (const { tokens } of steps)
    for (const token of tokens) {
      if (token.length !== layers) throw refuse(`one token has ${token.length} layers, another ${layers}`);
      for (const row of token) {
        topK = Math.max(topK, row.length);
        for (const id of row) most = Math.max(most, id);
      }
    }
  if (most < 0) throw refuse("nobody chooses an expert");
  const { experts = most + 1 } = options;
  if (!Number.isInteger(experts) || experts <= most || experts > NO_EXPERT)
    throw refuse(`experts is ${experts} and a token chooses ${most}`);
  return { model: basename(path).replace(/\.(jsonl?|npy)$/, ""), seed: 0, layers, experts, topK, dModel: 0,
    expertBytes: options.expertBytes ?? { expert: 1 }, ...(layerIds && { layerIds }),
    steps: steps.map(({ seq, tokens }): TraceStep => {
      const ids = new Uint16Array(layers * tokens.length * topK).fill(NO_EXPERT);
      tokens.forEach((token, t) =>
        token.forEach((row, layer) =>
          ids.set(row.map((id) => (id < 0 ? NO_EXPERT : id)), (layer * tokens.length + t) * topK)
        )
      );
      return { seq, phase: tokens.length > 1 ? "prefill" : "decode", tokens: tokens.length, ids };
    }) };
}

const shown = (value: unknown) => String(JSON.stringify(value)).slice(0, 60);
