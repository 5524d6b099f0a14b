import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openModel } from "../../sdk/checkpoint/open-model.js";
import { saveModel } from "../../sdk/checkpoint/save-model.js";
import { logitsAsIn, logitsAsReported, type Stored, withAltered } from "../support/altered-fixture.js";
import { fixture } from "../support/shared.js";

/** What save_pretrained(save_original_format=False) of transformers 5.24 makes of the other names of a family. */
const RENAMED: Record<string, [RegExp, string][]> = {
  mixtral: [[/block_sparse_moe/, "mlp"]],
  minimax: [[/block_sparse_moe/, "mlp"]],
  phimoe: [[/block_sparse_moe\.gate/, "mlp.router"], [/block_sparse_moe/, "mlp"]],
  exaone_moe: [[/mlp\.e_score/, "mlp.gate.e_score"]],
  hy_v3: [[/router\.gate/, "gate"], [/expert_bias/, "e_score_correction_bias"], [/shared_mlp/, "shared_experts"]],
  ernie4_5_moe: [[/mlp\.moe_statics/, "mlp.gate.moe_statics"]],
  granitemoe: [[/block_sparse_moe\.input_linear\.weight/, "block_sparse_moe.experts.gate_up_proj"], [
    /block_sparse_moe\.output_linear\.weight/,
    "block_sparse_moe.experts.down_proj",
  ], [/router\.layer\.weight/, "router.weight"]],
};
const PARTS: Record<string, string> = { w1: "gate", w3: "up", w2: "down", gate_proj: "gate", up_proj: "up",
  down_proj: "down" };

/** Experts one by one -> `experts.gate_up_proj` [E, 2F, D] and `experts.down_proj` [E, D, F]. */
function fused(all: Stored[], renamed: [RegExp, string][] = []): Stored[] {
  const rest: Stored[] = [];
  const stacks = new Map<string, Record<string, Stored[]>>();
  for (const tensor of all) {
    const name = renamed.reduce((text, [from, to]) => text.replace(from, to), tensor.name);
    const [, root, expert, own] = /^(.*\.experts)\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
    if (root === undefined) rest.push({ ...tensor, name });
    else ((stacks.get(root) ?? stacks.set(root, {}).get(root)!)[PARTS[own]] ??= [])[Number(expert)] = tensor;
  }
  for (const [root, { gate, up, down }] of stacks) {
    rest.push(stacked(`${root}.gate_up_proj`, gate.map((one, e) => stacked("", [one, up[e]], "rows"))));
    rest.push(stacked(`${root}.down_proj`, down));
  }
  return rest;
}

function stacked(name: string, parts: Stored[], how: "first-axis" | "rows" = "first-axis"): Stored {
  const [{ shape }] = parts;
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  parts.reduce((at, part) => (values.set(part.values, at), at + part.values.length), 0);
  return { name, shape: how === "rows" ? [parts.length * shape[0], ...shape.slice(1)] : [parts.length, ...shape],
    values };
}

for (
  const name of ["deepseek_v2", "deepseek_v2_lite", "deepseek_v3", "dots1", "ernie4_5_moe", "glm4_moe", "granitemoe",
    "exaone_moe", "glm4v_moe", "hunyuan_v1_moe", "hy_v3", "jamba", "lfm2_moe", "mellum", "minimax", "mixtral",
    "mixtral_sharded", "olmoe", "phimoe", "qwen2_moe", "qwen3_5_moe_text", "qwen3_moe", "qwen3_next",
    "qwen3_omni_moe_thinker"]
) {
  test(`${name}: experts fused as transformers 5 writes them`, () =>
    withAltered(name, (all) => {
      const changed = fused(all, RENAMED[name.replace("_sharded", "")]);
      assert.ok(changed.some((tensor) => tensor.name.endsWith("experts.gate_up_proj")), "something is fused");
      return changed;
    }, async (opened) => {
      await logitsAsIn(name, opened);
      const folder = join(await mkdtemp(join(tmpdir(), "moelab-fused-")), "saved");
      try {
        await saveModel(folder, opened.model, { ...opened, original: opened.store });
        const again = await openModel(folder);
        assert.equal([...again.store.names()].sort(), [...opened.store.names()].filter((tensor) =>
          !/slope_rate|_decay$/.test(tensor)
        ).sort(), "saved as it was read");
        await logitsAsIn(name, again);
        await again.model.dispose();
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }));
}

test("fused-qwen3moe of the reports", async () => {
  const opened = await openModel(fixture("reports/fused-qwen3moe"));
  await logitsAsReported("fused-qwen3moe", opened);
  await opened.model.dispose();
});

/** Rows first, then first + step and so on of a matrix [rows, columns]. */
function rowsOf({ values }: Stored, columns: number, first: number, step: number, count: number): Float32Array {
  return Float32Array.from({ length: count * columns },
    (_, i) => values[(first + Math.floor(i / columns) * step) * columns + (i % columns)]);
}

function transposed(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  return Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]);
}

test("qwen3_vl_moe: fused experts the other way round, as transformers writes a model that it made itself", () =>
  withAltered("qwen3_vl_moe", (all) =>
    all.map((tensor) => {
      if (!tensor.name.includes(".experts.")) return tensor;
      const turned = each(tensor).map((one) => ({ ...one, shape: [one.shape[1], one.shape[0]],
        values: transposed(one.values, one.shape[0]) })
      );
      return stacked(tensor.name, turned);
    }), (opened) => logitsAsIn("qwen3_vl_moe", opened)));

/** A tensor of all experts [E, …] -> its experts. */
function each({ shape: [E, ...shape], values }: Stored): Stored[] {
  const size = values.length / E;
  return Array.from({ length: E }, (_, e) => ({ name: "", shape, values: values.slice(e * size, (e + 1) * size) }));
}

const APART: Record<string, (tensor: Stored) => Stored[]> = {
  /** gate and up in turn, [E, D, 2F]; biases [E, 2F] */
  gpt_oss: (tensor) => {
    const [, root, part, bias] = /^(.*\.experts)\.(gate_up|down)_proj(_bias)?$/.exec(tensor.name) ?? [];
    if (!root) return [tensor];
    const names = part === "down" ? ["down"] : ["gate", "up"];
    return each(tensor).flatMap((one, e) => {
      const rows = bias ? one.shape[0] : one.shape[1], columns = bias ? 1 : one.shape[0];
      const matrix = { ...one, values: bias ? one.values : transposed(one.values, one.shape[0]) };
      const count = rows / names.length;
      return names.map((name, at) => ({ name: `${root}.${e}.${name}_proj.${bias ? "bias" : "weight"}`,
        shape: bias ? [count] : [count, columns], values: rowsOf(matrix, columns, at, names.length, count) })
      );
    });
  },
  /** gate, then up, [E, D, 2F] */
  llama4_text: (tensor) => {
    const [, root, part] = /^(.*\.experts)\.(gate_up|down)_proj$/.exec(tensor.name) ?? [];
    if (!root) return [tensor];
    return each(tensor).flatMap((one, e) =>
      halves(one, part === "down" ? ["down"] : ["gate", "up"], true).map((half) => ({
        ...half,
        name: `${root}.${e}.${half.name}_proj.weight`,
      }))
    );
  },
  /** gate, then up, [E, 2F, D] */
  granitemoe: (tensor) => {
    const [, root, part] = /^(.*)\.(input|output)_linear\.weight$/.exec(tensor.name) ?? [];
    if (!root || !/block_sparse_moe/.test(root)) return [tensor];
    return each(tensor).flatMap((one, e) =>
      halves(one, part === "output" ? ["down"] : ["gate", "up"], false).map((half) => ({ ...half,
        name: `${root}.experts.${e}.${half.name}_proj.weight` })
      )
    );
  },
  /** each matrix of all experts along the rows, down not transposed; taken apart under the own names */
  dbrx: (tensor) => {
    const [, root, own] = /^(.*\.mlp)\.(w1|v1|w2)$/.exec(tensor.name) ?? [];
    if (!root) return [tensor];
    const [rows, D] = tensor.shape, E = 6, F = rows / E;
    return each({ ...tensor, shape: [E, F, D] }).map((one, e) => ({ name: `${root}.${e}.${own}.weight`,
      shape: own === "w2" ? [D, F] : [F, D], values: own === "w2" ? transposed(one.values, F) : one.values })
    );
  },
};

function halves(one: Stored, names: string[], turn: boolean): Stored[] {
  const [rows, columns] = turn ? [one.shape[1], one.shape[0]] : one.shape;
  const matrix = { ...one, values: turn ? transposed(one.values, one.shape[0]) : one.values };
  const count = rows / names.length;
  return names.map((name, at) => ({ name, shape: [count, columns],
    values: rowsOf(matrix, columns, at * count, 1, count) })
  );
}

for (const [name, apart] of Object.entries(APART)) {
  test(`${name}: experts one by one`, () =>
    withAltered(name, (all) => {
      const changed = all.flatMap(apart);
      assert.ok(changed.length > all.length, "something is taken apart");
      return changed;
    }, (opened) => logitsAsIn(name, opened)));
}

test.run();
